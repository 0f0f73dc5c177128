"""The JSON API: the same data as the pages, with stable ids, cursor paging, and `as_of` for any past moment."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse

from pipeline.desk import api_models as out
from pipeline.desk.charts import HOUR, floor
from pipeline.desk.context import Ask, BigId, Moment, SmallId
from pipeline.desk.pages.series import RangeName, _found, series_chart
from pipeline.desk.pages.stories import Cursor, Wanted
from pipeline.store import analytics, desk_alerts, desk_feeds, desk_models, desk_series, desk_stories
from pipeline.types import SeriesKind, Severity

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": out.Problem} for status in (400, 401, 403, 404, 421, 422, 503)
}
router = APIRouter(tags=["v1"], responses=PROBLEMS)

Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/pulse")
def pulse(ask: Ask) -> out.Pulse:
    """How the line stands."""
    with ask.desk.reading() as connection:
        return out.Pulse.model_validate(desk_series.pulse(connection))


@router.get("/series")
def series(
    ask: Ask,
    kind: Annotated[list[SeriesKind] | None, Query()] = None,
    as_of: Moment | None = None,
) -> list[out.Series]:
    """Everything that is watched, with the last 24 hours against the 7 days before them; with `as_of` those that had ended by
    then."""
    kinds = kind or ["all", "topic", "company", "sector"]
    until = floor(as_of, HOUR) if as_of else ask.as_of
    with ask.desk.reading() as connection:
        rows = desk_series.series_summary(connection, kinds, until)
    return [out.Series.model_validate(row) for row in rows]


@router.get("/series/{series_id}/chart")
def chart(ask: Ask, series_id: SmallId, range: RangeName = "30d", as_of: Moment | None = None) -> out.Chart:
    """The sentiment index of a series over time, with the band that was usual and its alerts.

    With `as_of` only hours or days that had ended by then, and alerts that had fired.
    """
    ask.as_of = as_of or ask.as_of
    with ask.desk.reading() as connection:
        found = _found(connection, series_id)
        return out.Chart.model_validate(series_chart(connection, found, range, ask, whole=as_of is not None))


@router.get("/stories")
def stories(ask: Ask, wanted: Wanted, after: Cursor = None, limit: Limit = 50) -> out.Page[out.Story]:
    """Stories, the newest first. With `as_of` only those seen by then, with the verdicts written by then."""
    with ask.desk.reading() as connection:
        rows, cursor = desk_stories.stories(connection, wanted, now=ask.as_of, limit=limit, cursor=after)
    return out.Page(items=[out.Story.model_validate(row) for row in rows], next=cursor)


@router.get("/stories/{story_id}")
def story(ask: Ask, story_id: BigId) -> out.FullStory:
    """One story with its text and its articles."""
    with ask.desk.reading() as connection:
        found = desk_stories.story(connection, story_id)
    if found is None:
        raise HTTPException(404)
    found["companies"] = [{**row, "id": row["company_id"]} for row in found["companies"]]
    found["topics"] = [row["topic"] for row in found["topics"]]
    return out.FullStory.model_validate(found)


@router.get("/alerts")
def alerts(
    ask: Ask,
    open: bool | None = None,
    severity: Severity | None = None,
    series_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    since: Moment | None = None,
    as_of: Moment | None = None,
    after: Annotated[str | None, Query(pattern=r"^\d{1,18}$")] = None,
    limit: Limit = 50,
) -> out.Page[out.Alert]:
    """Alerts, the newest first; with `as_of` those that had begun by then, as they stand now."""
    with ask.desk.reading() as connection:
        rows = desk_alerts.alerts(
            connection,
            limit=limit + 1,
            is_open=open,
            severity=severity,
            series_id=series_id,
            since=since,
            as_of=as_of,
            after_id=int(after) if after else None,
        )
    cursor = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return out.Page(items=[out.Alert.model_validate(row) for row in rows[:limit]], next=cursor)


@router.get("/alerts/{alert_id}")
def alert(ask: Ask, alert_id: BigId) -> out.FullAlert:
    """One alert with its evidence."""
    with ask.desk.reading() as connection:
        found = desk_alerts.alert(connection, alert_id)
    if found is None:
        raise HTTPException(404)
    return out.FullAlert.model_validate(found)


@router.get("/feeds")
def feeds(ask: Ask) -> list[out.Feed]:
    """The configured feeds and their health."""
    with ask.desk.reading() as connection:
        return [out.Feed.model_validate(row) for row in desk_feeds.feeds(connection, ask.as_of)]


@router.get("/models")
def models(ask: Ask) -> list[out.Model]:
    """The model versions, the newest first."""
    with ask.desk.reading() as connection:
        return [out.Model.model_validate(row) for row in desk_models.versions(connection)]


@router.get("/tables")
def tables(ask: Ask) -> list[dict[str, Any]]:
    """The tables for analysts, with the meaning and unit of each column; /export/<name>.csv and .parquet give their rows."""
    with ask.desk.reading() as connection:
        return analytics.describe(connection)


@router.get("/tables/{name}", response_model=None)
def table(
    ask: Ask,
    name: str,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> JSONResponse:
    """The newest rows of one table for analysts."""
    if name not in analytics.VIEWS:
        raise HTTPException(404)
    with ask.desk.reading() as connection:
        names, parts = analytics.read_view(connection, name, since=since, until=until, limit=limit)
        rows = [dict(zip(names, row, strict=True)) for part in parts for row in part]
    from fastapi.encoders import jsonable_encoder

    return JSONResponse(jsonable_encoder({"columns": names, "rows": rows}))
