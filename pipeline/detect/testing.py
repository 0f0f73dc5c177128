"""A marked test alert that goes the way a real one would."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from model.labels import TOPIC_TITLES
from pipeline.detect.rules import load_rules
from pipeline.errors import UsageError
from pipeline.notify.routes import Delivery, route
from pipeline.store import alerts, models, notifications, windows
from pipeline.store.engine import Engine
from pipeline.types import Series, Severity


def write_test_alert(
    engine: Engine, alerts_file: Path, kind: str, key: str, severity: Severity, as_of: datetime
) -> list[str]:
    """Puts the test alert into the outbox of every receiver its routes name, due at once; returns their names.

    Works before anything was fetched or scored: that is when people set up their receivers.
    """
    rules = load_rules(alerts_file)
    with engine.begin() as connection:
        windows.sync_series(connection, TOPIC_TITLES, as_of)
        series = windows.find_series(connection, kind, key)
        if series is None:
            raise UsageError(
                f"there is no series '{kind}/{key}'",
                "write kind/key; kinds are all, topic, company and sector",
            )
        champion = models.champion(connection)
        deliveries = route(rules.routing, series.kind, series.key, severity, as_of)
        if not deliveries:
            return []
        alert_id = alerts.insert_alert(
            connection,
            series.id,
            "resolved",
            severity,
            as_of,
            0.0,
            rules.version,
            champion.id if champion else None,
            is_test=True,
        )
        model_version = champion.version if champion else "none yet"
        evidence = _evidence_of_nothing(series, severity, rules.version, model_version, as_of)
        alerts.set_circumstances(
            connection,
            alert_id,
            told=True,
            silenced=False,
            cause=None,
            inhibited_by=None,
            evidence=evidence,
        )
        event_id = alerts.add_event(connection, alert_id, as_of, "test", severity, {}, actor="cli")
        due = [Delivery(d.receiver, as_of) for d in deliveries]
        notifications.write_outbox(connection, alert_id, event_id, "test", due, evidence, as_of)
        return [d.receiver for d in due]


def _evidence_of_nothing(
    series: Series, severity: Severity, rule_version: str, model_version: str, as_of: datetime
) -> dict[str, Any]:
    """The fields of `build_evidence` that a message cannot do without, for an hour in which nothing was counted."""
    return {
        "series": {"kind": series.kind, "key": series.key, "title": series.title},
        "severity": severity,
        "negative": 0,
        "other": 0,
        "expected": 0.0,
        "score": 0.0,
        "window_hours": 1,
        "window_end": as_of.isoformat(),
        "rule_version": rule_version,
        "model_version": model_version,
        "stories": [],
        "chart": [],
    }
