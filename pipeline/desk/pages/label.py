"""Labelling: a queue that runs from the keyboard. The page's script fetches ahead, so that a key is answered at once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import JSONResponse, Response

from pipeline.desk.charts import DAY, floor
from pipeline.desk.context import Ask, BigId, Plain, checks_form, needs
from pipeline.store import desk_labels, desk_series
from pipeline.store.desk_rows import Row
from pipeline.types import Sentiment

router = APIRouter()

BATCH = 30  # half a minute at a key a second: time to fetch more on a slow line
Company = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
LABELS = [needs("labeller"), Depends(checks_form)]
REASONS = {
    "uncertain": "The model is not sure",
    "alert": "It stands in an alert",
    "disputed": "People disagree on it",
    "drift": "News of this kind has changed",
    "suspect": "A stored label looks wrong",
    "random": "Drawn at random, for an honest estimate",
}


@router.get("/label")
def label(ask: Ask, company: Company = None) -> Response:
    with ask.desk.reading() as connection:
        items = desk_labels.queue(connection, ask.visitor.name, limit=BATCH, company_id=company)
        return ask.page(
            "label.html",
            items=[as_item(item) for item in items],
            company=company,
            companies=desk_series.names(connection, "company"),
            waiting=desk_labels.waiting(connection),
            progress=desk_labels.progress(connection, floor(ask.as_of, DAY)),
            agreement=desk_labels.agreement(connection),
            disputes=desk_labels.disputes(connection),
            reasons=REASONS,
        )


@router.get("/label/next")
def next_items(
    ask: Ask, company: Company = None, shown: Annotated[list[int] | None, Query(max_length=200)] = None
) -> Response:
    with ask.desk.reading() as connection:
        items = desk_labels.queue(
            connection, ask.visitor.name, limit=BATCH, company_id=company, shown=_ids(shown)
        )
    return JSONResponse([as_item(item) for item in items])


@router.post("/label/{article_id}", dependencies=LABELS)
def add(
    ask: Ask,
    article_id: BigId,
    sentiment: Annotated[Sentiment, Form()],
    company_id: Annotated[int | None, Form(ge=1, le=2**31 - 1)] = None,
    back: Annotated[Plain, Form(max_length=200)] = "",
) -> Response:
    with ask.desk.changing() as connection:
        made = desk_labels.add_label(
            connection, article_id, sentiment, who=ask.visitor.name, as_of=ask.as_of, company_id=company_id
        )
        ask.audit(connection, "label", article_id, label=made, sentiment=sentiment, company=company_id)
    return _answer(ask, back, {"label_id": made}, f"Labelled {sentiment}.")


@router.post("/label/{article_id}/skip", dependencies=LABELS)
def skip(ask: Ask, article_id: BigId, back: Annotated[Plain, Form(max_length=200)] = "") -> Response:
    with ask.desk.changing() as connection:
        done = desk_labels.skip(connection, article_id, who=ask.visitor.name, as_of=ask.as_of)
        ask.audit(connection, "skip label", article_id)
    return _answer(ask, back, {"skipped": done}, "Skipped.")


@router.post("/label/{article_id}/dispute", dependencies=LABELS)
def dispute(ask: Ask, article_id: BigId, back: Annotated[Plain, Form(max_length=200)] = "") -> Response:
    with ask.desk.changing() as connection:
        done = desk_labels.dispute(connection, article_id, who=ask.visitor.name, as_of=ask.as_of)
        ask.audit(connection, "dispute label", article_id)
    return _answer(ask, back, {"disputed": done}, "Others will be asked.")


@router.post("/label/{article_id}/unskip", dependencies=LABELS)
def unskip(ask: Ask, article_id: BigId, back: Annotated[Plain, Form(max_length=200)] = "") -> Response:
    with ask.desk.changing() as connection:
        done = desk_labels.unskip(connection, article_id, who=ask.visitor.name, as_of=ask.as_of)
        if done:
            ask.audit(connection, "take back skip", article_id)
    return _taken_back(ask, back, done)


@router.post("/label/{article_id}/undispute", dependencies=LABELS)
def undispute(ask: Ask, article_id: BigId, back: Annotated[Plain, Form(max_length=200)] = "") -> Response:
    with ask.desk.changing() as connection:
        done = desk_labels.undispute(connection, article_id, who=ask.visitor.name)
        if done:
            ask.audit(connection, "take back dispute", article_id)
    return _taken_back(ask, back, done)


@router.post("/labels/{label_id}/retract", dependencies=LABELS)
def retract(ask: Ask, label_id: BigId, back: Annotated[Plain, Form(max_length=200)] = "") -> Response:
    with ask.desk.changing() as connection:
        done = desk_labels.retract_label(connection, label_id, who=ask.visitor.name, as_of=ask.as_of)
        if done:
            ask.audit(connection, "retract label", label_id)
    return _taken_back(ask, back, done)


def as_item(row: Row) -> dict[str, Any]:
    """An article of the queue as the page's script takes it."""
    return {
        "article_id": row["article_id"],
        "story_id": row["story_id"],
        "reason": REASONS.get(row["reason"], row["reason"]),
        "title": row["title"],
        "text": row["text"],
        "source": row["source"],
        "url": row["url"],
        "at": row["event_at"].isoformat(),
        "companies": row["companies"],
    }


def _taken_back(ask: Ask, back: str, done: bool) -> Response:
    return _answer(
        ask, back, {"retracted": done}, "Taken back." if done else "There was nothing to take back."
    )


def _answer(ask: Ask, back: str, data: dict[str, Any], said: str) -> Response:
    # a script asks for JSON and gets it; a form without script goes back to its page
    if "application/json" in ask.request.headers.get("accept", ""):
        return JSONResponse(data)
    return ask.go(back if back.startswith("/") and not back.startswith("//") else "/label", said)


def _ids(values: list[int] | None) -> list[int]:
    return [value for value in values or [] if 0 < value < 2**63 - 1]
