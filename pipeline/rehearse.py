"""Two versions side by side: a challenger reads the last weeks before it may take over, a champion goes on after it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from pipeline import run
from pipeline.run import Line, now
from pipeline.store import models, retrainings, windows

# History that a challenger reads before the gate decides, days, and the most stories of it, newest first; of these days
# the last ones are replayed, the ones before make the first baseline (a series learns for 14 days). So many stories are
# the 35 days of a wire of 1,700 a day, and take ten minutes at 100 a second; 20,000 were too few to learn from there.
# A promotion reads them anyway (UNDERTOW_RESCORE_DAYS). With more a day the history is shorter, and the gate says so.
REHEARSED_DAYS, REHEARSED_MOST, REPLAYED_DAYS = 35, 60_000, 14


def rehearse(
    line: Line, champion: models.StoredModel, challenger: models.StoredModel, as_of: datetime
) -> dict[str, Any] | None:
    """Lets the challenger read the last weeks and replays the alerts of both; None without scored history."""
    from pipeline.detect.rules import load_rules
    from pipeline.label.rehearsal import compare_alerts, days_of_history, replay_alerts

    run.enqueue_rescore(line, challenger.version, days=REHEARSED_DAYS, as_of=as_of)
    run.score(line, REHEARSED_MOST, rescore=challenger.version, order="newest", as_of=as_of)
    run.build_windows(line, as_of=as_of)
    start, end = as_of - timedelta(days=REHEARSED_DAYS), as_of
    rules = load_rules(line.settings.alerts_file)
    with line.engine.connect() as connection:
        series = windows.list_series(connection)
        counts = [
            retrainings.read_quarters(connection, one.id, other.id, start, end)
            for one, other in ((champion, challenger), (challenger, champion))
        ]
        useful = retrainings.read_useful_alerts(connection, as_of - timedelta(days=REPLAYED_DAYS), end)
    history = days_of_history(counts[0], as_of)
    if not history:
        return None
    days = [(as_of - timedelta(days=n)).date() for n in range(min(REPLAYED_DAYS, history), 0, -1)]
    by_champion, by_challenger = (replay_alerts(series, quarters, rules, days) for quarters in counts)
    return asdict(compare_alerts(len(days), by_champion, by_challenger, useful, history_days=history))


def overlap(line: Line, *, as_of: datetime | None = None) -> dict[str, Any]:
    """Lets the champion before this one read new stories too, until UNDERTOW_RETRAIN_OVERLAP_DAYS after the switch.

    Both verdicts then stand side by side in `scores`; only the champion's count.
    """
    as_of = as_of or now()
    with line.engine.connect() as connection:
        events = models.alias_history(connection)
        stored = models.find_model(connection, events[1].version) if len(events) > 1 else None
    since = as_of - timedelta(days=line.settings.retrain_overlap_days)
    if stored is None or events[0].set_at < since or stored.version == events[0].version:
        return {"scored": 0}
    if run.left_behind(stored):
        return {"scored": 0, "skipped": f"the files of {stored.version} left with an upgrade"}
    before = stored.version
    run.enqueue_rescore(line, before, since=events[0].set_at, as_of=as_of)
    waiting, _ = run.backlog(line, before, as_of=as_of)
    return run.score(line, max(waiting, 1), rescore=before, order="newest", as_of=as_of)
