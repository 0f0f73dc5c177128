"""Two versions side by side: a challenger reads the last weeks before it may take over, a champion goes on after it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pipeline import run
from pipeline.run import Line, now
from pipeline.store import models, retrainings, windows

# History that a challenger reads before the gate decides, days, and the most stories of it, newest first; of these days
# the last ones are replayed, the ones before make the first baseline (a series learns for 14 days).
REHEARSED_DAYS, REHEARSED_MOST, REPLAYED_DAYS = 35, 20_000, 14


def rehearse(
    line: Line, champion: models.StoredModel, challenger: models.StoredModel, as_of: datetime
) -> dict[str, Any] | None:
    """Lets the challenger read the last weeks and replays the alerts of both; None without scored history."""
    from pipeline.detect.rules import load_rules
    from pipeline.label.rehearsal import compare_alerts, replay_alerts

    run.enqueue_rescore(line, challenger.version, days=REHEARSED_DAYS, as_of=as_of)
    run.score(line, REHEARSED_MOST, rescore=challenger.version, order="newest", as_of=as_of)
    run.build_windows(line, as_of=as_of)
    days = [(as_of - timedelta(days=n)).date() for n in range(REPLAYED_DAYS, 0, -1)]
    start, end = as_of - timedelta(days=REHEARSED_DAYS), as_of
    rules = load_rules(line.settings.alerts_file)
    with line.engine.connect() as connection:
        series = windows.list_series(connection)
        counts = [
            retrainings.read_quarters(connection, one.id, other.id, start, end)
            for one, other in ((champion, challenger), (challenger, champion))
        ]
        useful = retrainings.read_useful_alerts(connection, as_of - timedelta(days=REPLAYED_DAYS), end)
    if not counts[0]:
        return None
    raised = [replay_alerts(series, quarters, rules, days) for quarters in counts]
    return asdict(compare_alerts(REPLAYED_DAYS, raised[0], raised[1], useful))


def overlap(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Lets the champion before this one read new stories too, until UNDERTOW_RETRAIN_OVERLAP_DAYS after the switch.

    Both verdicts then stand side by side in `scores`; only the champion's count.
    """
    as_of = as_of or now()
    with line.engine.connect() as connection:
        events = models.alias_history(connection)
    since = as_of - timedelta(days=line.settings.retrain_overlap_days)
    if len(events) < 2 or events[0].set_at < since or events[1].version == events[0].version:
        return {"scored": 0}
    before = events[1].version
    run.enqueue_rescore(line, before, since=events[0].set_at, as_of=as_of)
    waiting, _ = run.backlog(line, before, as_of=as_of)
    return run.score(line, max(waiting, 1), rescore=before, order="newest", as_of=as_of)
