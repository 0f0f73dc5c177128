"""Stories: search and filters, one story with everything known of it, stories like it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response

from pipeline.desk import doors
from pipeline.desk.context import PAGE_ROWS, Ask, BigId, Moment, Plain, Words
from pipeline.desk.explaining import LONGEST_TEXT, Spans, parts_of
from pipeline.errors import ModelUnavailable
from pipeline.store import desk_series, desk_stories
from pipeline.store.desk_stories import StoryFilter
from pipeline.types import Sentiment

router = APIRouter()

Day = Annotated[str | None, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


def read_filter(
    q: Words = None,
    sentiment: Sentiment | Literal[""] | None = None,
    company: Annotated[int | Literal[""] | None, Query()] = None,
    topic: Annotated[Plain | None, Query(max_length=60)] = None,
    sector: Annotated[Plain | None, Query(max_length=120)] = None,
    source: Annotated[Plain | None, Query(max_length=200)] = None,
    since: Moment | Literal[""] | None = None,
    until: Moment | Literal[""] | None = None,
    as_of: Moment | Literal[""] | None = None,
) -> StoryFilter:
    """The filter in an address; empty fields of the form mean any."""
    number = company if isinstance(company, int) and 0 < company < 2**31 else None
    return StoryFilter(
        q or None, sentiment or None, number, topic or None, sector or None, source or None,
        since or None, until or None, as_of or None,
    )  # fmt: skip


Wanted = Annotated[StoryFilter, Depends(read_filter)]
Cursor = Annotated[Plain | None, Query(max_length=200)]


@router.get("/stories")
def stories(ask: Ask, wanted: Wanted, after: Cursor = None) -> Response:
    with ask.desk.reading() as connection:
        rows, cursor = desk_stories.stories(connection, wanted, now=ask.as_of, limit=PAGE_ROWS, cursor=after)
        companies = desk_series.names(connection, "company")
        topics = desk_series.names(connection, "topic")
        outlets = desk_stories.outlets(connection)
    query = as_query(wanted)
    return ask.page(
        "stories.html",
        stories=rows,
        wanted=wanted,
        companies=companies,
        topics=topics,
        outlets=outlets,
        first_page=after is None,
        next_query=urlencode({**query, "after": cursor}) if cursor else None,
        export_query=urlencode(query),
        filtered=bool(query),
    )


@router.get("/stories/{story_id}")
def story(ask: Ask, story_id: BigId) -> Response:
    with ask.desk.reading() as connection:
        found = desk_stories.story(connection, story_id)
    if found is None:
        raise HTTPException(404)
    mine = {(label["target"], label["company_id"]): label for label in found["labels"]
            if label["labelled_by"] == ask.visitor.name}  # fmt: skip
    return ask.page("story.html", story=found, mine=mine)


@router.get("/stories/{story_id}/similar")
def similar(ask: Ask, story_id: BigId) -> Response:
    """Stories like this one, as a fragment."""
    with ask.desk.reading() as connection:
        return ask.page("stories_similar.html", stories=desk_stories.similar(connection, story_id))


@router.get("/stories/{story_id}/words")
def words(
    ask: Ask, story_id: BigId, company: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> Response:
    """Which words made the verdict on the story, or on a company in it, as a fragment."""
    desk = ask.desk
    with desk.reading() as connection:
        found = desk_stories.story(connection, story_id)
        if found is None or found["model_version"] is None:
            raise HTTPException(404)
        spans = None if company is None else _places(found, company)
        try:
            model = doors.model_directory(desk.engine, desk.settings, connection, found["model_version"])
        except ModelUnavailable as error:
            return ask.page("story_words.html", problem=error, parts=[], name=None)
    try:  # the connection is given back: the answer takes seconds
        pulls = desk.explainer.explain(model, found["text"], spans)
    except ModelUnavailable as error:
        return ask.page("story_words.html", problem=error, parts=[], name=None)
    parts = parts_of(found["text"][:LONGEST_TEXT], pulls)
    named = found["text"][slice(*spans[0])] if spans else None
    return ask.page("story_words.html", problem=None, parts=parts, name=named)


def _places(story: dict[str, Any], company_id: int) -> Spans:
    """Everywhere that the company stands in the story's text, under any of its names: the verdict was made of all."""
    for company in story["companies"]:
        if company["company_id"] == company_id and company["spans"]:
            return tuple((start, end) for start, end in company["spans"])
    raise HTTPException(404)


def as_query(wanted: StoryFilter) -> dict[str, Any]:
    """The filter as parameters of an address."""
    parameters = {
        "q": wanted.words,
        "sentiment": wanted.sentiment,
        "company": wanted.company_id,
        "topic": wanted.topic,
        "sector": wanted.sector,
        "source": wanted.source,
        "since": wanted.since and wanted.since.isoformat(),
        "until": wanted.until and wanted.until.isoformat(),
        "as_of": wanted.as_of and wanted.as_of.isoformat(),
    }
    return {name: value for name, value in parameters.items() if value}
