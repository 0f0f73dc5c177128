"""What is told when a silence ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.notify import phrases
from pipeline.notify.card import clean, moment


def silence_payload(silence: Mapping[str, Any]) -> dict[str, Any]:
    """Subject and lines: who set it, for how long, and the alerts it held back. Times are UTC."""
    what = clean(silence["series_key"] or silence["series_kind"] or "everything", 80)
    starts, ends = _utc(silence["starts_at"]), _utc(silence["ends_at"])
    reason = f": {clean(silence['reason'], 200)}" if silence["reason"] else ""
    held_back = silence["held_back"] or []
    lines = [
        f"Set by {clean(silence['created_by'], 60)}{reason}. It lasted {phrases.duration(ends - starts)}.",
        f"It held back {phrases.count(len(held_back), 'alert')}." if held_back else "It held back nothing.",
        *(_alert(alert) for alert in held_back),
    ]
    return {"subject": f"The silence over {what} has ended", "lines": lines}


def _alert(alert: Mapping[str, Any]) -> str:
    fired = moment(alert.get("fired_at"))
    since = f", since {phrases.moment(fired, UTC)}" if fired else ""
    state = "resolved" if alert.get("state") == "resolved" else "still open"
    return f"{clean(alert.get('title'), 80)}: {alert.get('severity')}, {state}{since}"


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)
