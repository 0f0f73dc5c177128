"""The example payloads under tests/data/notify as messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.notify.card import AlertEvent, ToldAlert
from pipeline.notify.links import Links
from pipeline.notify.message import Message, alert_message
from pipeline.notify.view import Envelope

DATA = Path(__file__).resolve().parents[2] / "data" / "notify"
FIRED = datetime(2026, 9, 15, 14, 15, tzinfo=UTC)
RESOLVED = FIRED + timedelta(hours=9, minutes=30)
LINKS = Links("https://undertow.bank.example", "k" * 40)
OPEN = (AlertEvent("open", FIRED, "critical", "detect"),)
EPISODE = (
    AlertEvent("pending", FIRED - timedelta(minutes=15), "warning", "detect"),
    AlertEvent("open", FIRED, "warning", "detect"),
    AlertEvent("rise", FIRED + timedelta(minutes=45), "critical", "detect"),
    AlertEvent("acknowledge", FIRED + timedelta(minutes=52), "critical", "m.keller"),
    AlertEvent("resolve", RESOLVED, "critical", "detect"),
)


def payload(name: str) -> dict[str, Any]:
    return dict(json.loads((DATA / f"{name}.json").read_text(encoding="utf-8")))


def envelope(kind: str = "open") -> Envelope:
    key = "c0ffee" * 5 + "ab"
    return Envelope(key, kind, "risk-desk", ZoneInfo("Europe/Zurich"), FIRED, FIRED)  # type: ignore[arg-type]


def alert(evidence: dict[str, Any], kind: str = "open", **changes: Any) -> ToldAlert:
    series = evidence["series"]
    over = kind == "resolve"
    fields: dict[str, Any] = {
        "id": 17,
        "series_kind": series["kind"],
        "series_key": series["key"],
        "series_title": series.get("title", series["key"]),
        "state": "resolved" if over else "firing",
        "severity": evidence["severity"],
        "fired_at": FIRED,
        "resolved_at": RESOLVED if over else None,
        "acknowledged_by": "m.keller" if over else None,
        "is_test": False,
        "peak": evidence,
        "events": EPISODE if over else OPEN,
        **changes,
    }
    return ToldAlert(**fields)


def message(name: str, kind: str = "open", **changes: Any) -> Message:
    evidence = payload(name)
    return alert_message(envelope(kind), evidence, alert(evidence, kind, **changes), LINKS)
