"""Tables to take away, as CSV and Parquet. What feeds wrote goes into spreadsheets: it must not become a formula there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response, StreamingResponse

from pipeline.desk.context import FILE_ROWS, FILE_STORIES, Ask, Moment, Plain
from pipeline.desk.pages.stories import Wanted
from pipeline.label.formats import no_formula
from pipeline.store import analytics, desk_stories
from pipeline.store import parquet as parquet_file

router = APIRouter()


Format = Literal["csv", "parquet"]
View = Annotated[Plain, Path(max_length=60)]


@router.get("/export/stories.{kind}")
def export_stories(ask: Ask, kind: Format, wanted: Wanted) -> Response:
    """The stories that a filter finds, the newest 5,000."""
    with ask.desk.reading() as connection:
        rows, _ = desk_stories.stories(connection, wanted, now=ask.as_of, limit=FILE_STORIES)
    names = ["id", "available_at", "title", "source", "url", "copies", "sources", "sentiment", "negative",
             "neutral", "positive", "topics", "companies"]  # fmt: skip
    table = [tuple(row[name] for name in names) for row in rows]
    return answer(f"stories.{kind}", kind, names, iter([table]))


@router.get("/export/{view}.{kind}")
def export(
    ask: Ask,
    view: View,
    kind: Format,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=FILE_ROWS)] = FILE_ROWS,
) -> Response:
    """A view of schema analytics in [since, until), the newest rows first."""
    if kind == "csv":
        with ask.desk.reading() as connection:
            analytics.columns(connection, view)  # an unknown view is told before the answer begins
        return StreamingResponse(
            _csv_of_view(ask, view, since, until, limit), headers=_headers(f"{view}.csv")
        )
    with ask.desk.reading() as connection:
        names, parts = analytics.read_view(connection, view, since=since, until=until, limit=limit)
        return answer(f"{view}.{kind}", kind, names, parts)


def answer(
    name: str, kind: str, names: Sequence[str], parts: Iterator[Sequence[tuple[Any, ...]]]
) -> Response:
    """The rows as a file to save."""
    if kind == "csv":
        return Response("".join(csv_lines(names, parts)), headers=_headers(name))
    return Response(parquet(names, [row for part in parts for row in part]), headers=_headers(name))


def _csv_of_view(
    ask: Ask, view: str, since: datetime | None, until: datetime | None, limit: int
) -> Iterator[str]:
    with ask.desk.reading() as connection:
        names, parts = analytics.read_view(connection, view, since=since, until=until, limit=limit)
        yield from csv_lines(names, parts)


def csv_lines(names: Sequence[str], parts: Iterable[Sequence[tuple[Any, ...]]]) -> Iterator[str]:
    """CSV in pieces, with a header."""
    yield _csv([names])
    for part in parts:
        yield _csv([[cell(value) for value in row] for row in part])


def cell(value: Any) -> Any:
    """A value for CSV: times as ISO 8601, lists joined, and text that a spreadsheet would calculate behind a quote."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "; ".join(value)
    elif isinstance(value, list | dict):
        value = json.dumps(value, default=str, ensure_ascii=False)
    return no_formula(value)


def parquet(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> bytes:
    """A Parquet file; JSON columns as text."""
    buffer = io.BytesIO()
    parquet_file.write(buffer, names, rows, exact=False)
    return buffer.getvalue()


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _headers(name: str) -> dict[str, str]:
    kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/vnd.apache.parquet"
    return {"Content-Disposition": f'attachment; filename="undertow-{name}"', "Content-Type": kind}
