"""Alerts: open and past, one with its evidence, and what a person does about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Query
from fastapi.responses import JSONResponse, Response

from pipeline.desk.context import Ask, BigId, Plain, SmallId, checks_form, needs
from pipeline.desk.words import who_has_it
from pipeline.notify.card import read_card
from pipeline.store import desk_alerts, desk_series
from pipeline.store.alerts import silence
from pipeline.store.feedback import Feedback, record_feedback
from pipeline.types import FeedbackKind

router = APIRouter()

PAGE_ROWS = 40
# Around an alert's life: enough to see what was usual before, and that it is over.
AROUND = timedelta(days=3)
SILENCE_HOURS = {1: "1 hour", 4: "4 hours", 12: "12 hours", 24: "1 day", 72: "3 days", 168: "a week"}
OPERATES = [needs("operator"), Depends(checks_form)]


@router.get("/alerts")
def alerts(
    ask: Ask,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 2)] = None,
    severity: Literal["warning", "critical", ""] | None = None,
) -> Response:
    with ask.desk.reading() as connection:
        now_open = desk_alerts.alerts(connection, limit=100, is_open=True, severity=severity or None)
        past = desk_alerts.alerts(
            connection, limit=PAGE_ROWS + 1, is_open=False, after_id=before, severity=severity or None
        )
        silences = desk_alerts.silences(connection, ask.as_of)
    for alert in now_open:
        alert["card"] = read_card(alert["evidence"])
    return ask.page(
        "alerts.html",
        open_alerts=now_open,
        past=past[:PAGE_ROWS],
        before=past[PAGE_ROWS - 1]["id"] if len(past) > PAGE_ROWS else None,
        first_page=before is None,
        severity=severity or "",
        silences=silences,
    )


@router.get("/alerts/{alert_id}")
def alert(ask: Ask, alert_id: BigId) -> Response:
    with ask.desk.reading() as connection:
        found = desk_alerts.alert(connection, alert_id)
        if found is None:
            raise HTTPException(404)
        silences = [
            s for s in desk_alerts.silences(connection, ask.as_of) if s["series_id"] == found["series_id"]
        ]
    said = {row["kind"] for row in found["feedback"] if row["given_by"] == ask.visitor.name}
    said.discard("acknowledge")  # its button is there only while nobody has the alert
    return ask.page(
        "alert.html",
        alert=found,
        card=read_card(found["evidence"]),
        said_kinds=said,
        silences=silences,
        silence_hours=SILENCE_HOURS,
    )


# With fewer ticks there is no line to draw: a young alert shows the hours of its evidence.
LEAST_TICKS = 4


@router.get("/alerts/{alert_id}/chart")
def alert_chart(ask: Ask, alert_id: BigId) -> Response:
    """Negatives against the expected band, and the score, tick by tick around the alert."""
    with ask.desk.reading() as connection:
        found = desk_alerts.alert(connection, alert_id)
        if found is None:
            raise HTTPException(404)
        since = found["pending_at"] - AROUND
        until = min(ask.as_of, (found["resolved_at"] or ask.as_of) + timedelta(hours=12))
        rows = desk_series.evaluations(connection, found["series_id"], since, until)
    if len(rows) < LEAST_TICKS and found["evidence"].get("chart"):
        return JSONResponse(hourly_columns(found["evidence"]["chart"]))
    return JSONResponse(evaluation_columns(rows))


def hourly_columns(points: list[dict[str, Any]]) -> dict[str, Any]:
    """The hours that the alert's evidence kept, in the columns of `evaluation_columns`."""
    columns = {
        name: [point.get(name) for point in points] for name in ("negative", "expected", "low", "high")
    }
    at = [int(datetime.fromisoformat(point["at"]).timestamp()) for point in points]
    return {"at": at, **columns, "hours": [1] * len(points), "spans": "hours"}


def evaluation_columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns for the browser; the band is the expectation with two deviations."""
    deviations = [2 * row["variance"] ** 0.5 for row in rows]
    return {
        "at": [int(row["tick_at"].timestamp()) for row in rows],
        "negative": [row["negative"] for row in rows],
        "expected": [round(row["expected"], 2) for row in rows],
        "low": [round(max(0.0, r["expected"] - d), 2) for r, d in zip(rows, deviations, strict=True)],
        "high": [round(r["expected"] + d, 2) for r, d in zip(rows, deviations, strict=True)],
        "score": [round(row["score"], 2) for row in rows],
        "hours": [row["window_hours"] for row in rows],
        "spans": "windows",
    }


@router.post("/alerts/{alert_id}/feedback", dependencies=[needs("labeller"), Depends(checks_form)])
def give_feedback(
    ask: Ask, alert_id: BigId, kind: Annotated[FeedbackKind, Form()], note: Annotated[Plain, Form()] = ""
) -> Response:
    with ask.desk.changing() as connection:
        said = record_feedback(
            connection, Feedback(alert_id, kind, ask.visitor.name, "desk", note=note[:500]), ask.as_of
        )
        found = desk_alerts.alert(connection, alert_id)
    if kind == "acknowledge" and found is not None:
        words = who_has_it(found["state"], found["acknowledged_by"], ask.visitor.name)
    else:
        words = "Noted, thank you." if said.new else "You had said so already."
    return ask.go(f"/alerts/{alert_id}", words)


@router.post("/alerts/{alert_id}/silence", dependencies=OPERATES)
def silence_series(
    ask: Ask,
    alert_id: BigId,
    hours: Annotated[int, Form(ge=1, le=24 * 31)],
    reason: Annotated[Plain, Form(max_length=300)] = "",
) -> Response:
    with ask.desk.changing() as connection:
        found = desk_alerts.alert(connection, alert_id)
        if found is None:
            raise HTTPException(404)
        until = ask.as_of + timedelta(hours=hours)
        made = silence(
            connection,
            found["kind"],
            found["key"],
            timedelta(hours=hours),
            by=ask.visitor.name,
            reason=reason,
            as_of=ask.as_of,
        )
        ask.audit(
            connection, "silence", f"{found['kind']}:{found['key']}", silence=made, until=until, reason=reason
        )
    return ask.go(f"/alerts/{alert_id}", f"Silenced until {until:%d %b %H:%M} UTC.")


@router.post("/silences/{silence_id}/lift", dependencies=OPERATES)
def lift_silence(ask: Ask, silence_id: SmallId) -> Response:
    with ask.desk.changing() as connection:
        lifted = desk_alerts.lift_silence(connection, silence_id, who=ask.visitor.name, as_of=ask.as_of)
        if lifted:
            ask.audit(connection, "lift silence", silence_id)
    return ask.go("/alerts", "The silence is lifted." if lifted else "That silence was over already.")
