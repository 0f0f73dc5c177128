"""Archives of articles as files: CSV, JSON lines, Parquet -> drafts, in bounded memory.

Columns are found by their usual names; `text` or `title` is all that must be there. Reads the file as a stream.
"""

import csv
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import InputFileError
from pipeline.ingest.articles import Draft, Rejected
from pipeline.ingest.dates import end_of_day, parse_date
from pipeline.ingest.identity import content_hash
from pipeline.ingest.language import base_code, detect_language
from pipeline.ingest.links import safe_link, url_key
from pipeline.ingest.text import AUTHOR_LIMIT, SUMMARY_LIMIT, one_line, plain, title

# Column -> names it goes by in archives that people have.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "headline", "heading"),
    "text": ("text", "content", "body", "summary", "description", "article", "sentence"),
    "source": ("source", "publisher", "outlet", "provider", "feed"),
    "published": (
        "published_at",
        "published",
        "pubdate",
        "date",
        "datetime",
        "timestamp",
        "time",
        "created_at",
    ),
    "url": ("url", "link"),
    "guid": ("guid", "id", "article_id", "news_id"),
    "language": ("language", "lang"),
    "author": ("author", "byline"),
}
FORMATS = (".csv", ".jsonl", ".ndjson", ".json", ".parquet")
# Of a text without a title the first line is the title, up to this many characters.
TITLE_CHARS = 300
PARQUET_ROWS = 5_000
_FIELD_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """One row: its outlet, the draft, and when it became known."""

    source: str
    draft: Draft
    available_at: datetime


def read_archive(
    path: Path, as_of: datetime, default_source: str, default_tz: str = "UTC"
) -> Iterator[ArchiveRow | Rejected]:
    """Rows of the file in its order; one that holds no text is Rejected. `default_tz` is for times without a zone.

    Raises InputFileError where the file as a whole is not what its name says.
    """
    names: dict[str, str] = {}
    for number, record in enumerate(_records(path), 1):
        if isinstance(record, Rejected):
            yield record
            continue
        if not names or not record.keys() >= set(names.values()):
            try:
                names = _names(record)
            except InputFileError as error:
                if not names:
                    raise
                yield Rejected("no_text", f"row {number}: {error.message}")
                continue
        yield _row(
            {column: record.get(name) for column, name in names.items()},
            number,
            as_of,
            default_source,
            default_tz,
        )
    if not names:
        raise InputFileError(
            f"{path.name} has no rows with a text or title column", f"known columns: {', '.join(COLUMNS)}"
        )


def _records(path: Path) -> Iterator[dict[str, Any] | Rejected]:
    if not path.is_file():
        raise InputFileError(f"{path} is no file", "name a CSV, JSON lines or Parquet file")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix == ".csv":
        return _csv(path)
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _json_lines(path)
    raise InputFileError(f"{path.name} ends in {suffix or 'nothing'}", f"known formats: {', '.join(FORMATS)}")


def _csv(path: Path) -> Iterator[dict[str, Any] | Rejected]:
    csv.field_size_limit(min(_FIELD_LIMIT, sys.maxsize))
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(line.replace("\x00", "") for line in file)
        try:
            for record in reader:
                yield {str(key).strip().lower(): value for key, value in record.items() if key is not None}
        except csv.Error as error:
            raise InputFileError(
                # the inner reader's: the outer one counts a line once it was read
                f"{path.name} breaks off at line {reader.reader.line_num}: {error}",
                "repair that line and import the file again; nothing was stored",
            ) from error


def _json_lines(path: Path) -> Iterator[dict[str, Any] | Rejected]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                yield {str(key).strip().lower(): value for key, value in record.items()}
            else:
                yield Rejected("not_json", f"line {number} is no JSON object", line[:500])


def _parquet(path: Path) -> Iterator[dict[str, Any] | Rejected]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        wanted = [
            name
            for name in file.schema_arrow.names
            if any(name.strip().lower() in names for names in COLUMNS.values())
        ]
        for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=wanted):
            names = [str(name).strip().lower() for name in batch.schema.names]
            for row in zip(*map(_cells, batch.columns), strict=True):
                yield dict(zip(names, row, strict=True))
    except (pyarrow.ArrowException, OSError) as error:
        raise InputFileError(
            f"{path.name} cannot be read as Parquet: {one_line(str(error), 200)}", "write it again"
        ) from error


def _cells(column: Any) -> list[Any]:
    """The values of a column. Arrow holds what Python cannot, such as a year 10000: then each is tried by itself."""
    import pyarrow

    try:
        return list(column.to_pylist())
    except LookupError:  # a zone that this machine does not know; its times are kept in UTC
        if pyarrow.types.is_timestamp(column.type):
            column = column.cast(pyarrow.timestamp(column.type.unit, "UTC"))
    except (ArithmeticError, ValueError):
        pass
    return [_cell(value) for value in column]


def _cell(value: Any) -> Any:
    """A value; None where Python cannot hold it."""
    try:
        return value.as_py()
    except UnicodeDecodeError as error:  # read as in the other formats
        return error.object.decode("utf-8", "replace")
    except (ArithmeticError, LookupError, ValueError):
        return None


def _names(record: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for column, names in COLUMNS.items():
        present = [name for name in names if name in record]
        if present:
            found[column] = present[0]
    if "text" not in found and "title" not in found:
        raise InputFileError(
            f"there is no column for the text (columns: {', '.join(list(record)[:12]) or 'none'})",
            "name one `text` or `title`",
        )
    return found


def _row(
    values: Mapping[str, Any], number: int, as_of: datetime, default_source: str, default_tz: str
) -> ArchiveRow | Rejected:
    heading, text = (
        title(_text(values.get("title"))).text,
        plain(_text(values.get("text")), SUMMARY_LIMIT).text,
    )
    if not heading:
        heading, _, text = text.partition("\n")
        if len(heading) > TITLE_CHARS:
            heading, text = heading[: TITLE_CHARS - 1].rstrip() + "…", f"{heading}\n{text}".strip()
    if not heading:
        return Rejected("empty", f"row {number} has neither title nor text")
    raw = values.get("published")
    published_at, status, zone, available_at = _published(raw, as_of, default_tz)
    source = title(_text(values.get("source")), AUTHOR_LIMIT).text or default_source
    draft = _draft(values, heading, text, source)
    draft.published_raw = one_line(_text(raw), 200) or None
    draft.published_at, draft.date_status, draft.tz_source = published_at, status, zone
    draft.item_key = _key(draft)
    return ArchiveRow(source, draft, available_at)


def _draft(values: Mapping[str, Any], heading: str, text: str, source: str) -> Draft:
    link = safe_link(_text(values.get("url")))
    declared = base_code(_text(values.get("language")))
    language, confidence = (declared, 1.0) if declared else detect_language(f"{heading}\n{text}")
    return Draft(
        item_key=b"", reused_key=b"", content_hash=content_hash(heading, text), aliases=(),
        guid=one_line(_text(values.get("guid")), 2_048) or None, url=link, url_key=url_key(link), source=source,
        title=heading, summary=text, body=None, author=title(_text(values.get("author")), AUTHOR_LIMIT).text or None,
        categories=(), language=language, language_p=confidence, published_raw=None, published_at=None,
        tz_source="none", date_status="missing", flags=(),
    )  # fmt: skip


def _published(raw: Any, as_of: datetime, default_tz: str) -> tuple[datetime | None, str, str, datetime]:
    """(published_at, status, zone source, when it became known): a day without an hour was known at its end."""
    if isinstance(raw, datetime):
        moment = raw if raw.tzinfo else raw.replace(tzinfo=UTC)
        raw = moment.isoformat()
    elif isinstance(raw, date):
        raw = raw.isoformat()
    parsed = parse_date(_text(raw), default_tz, as_of)
    if parsed.at is not None:
        return parsed.at, "ok", parsed.tz_source, min(parsed.at, as_of)
    end = end_of_day(_text(raw), default_tz) if parsed.status == "date_only" else None
    return None, parsed.status, "none", min(end or as_of, as_of)


def _key(draft: Draft) -> bytes:
    """All that the row says of itself: only an exact repeat of a row is the same article. Copies meet as stories."""
    parts = (draft.guid, draft.url, draft.title, draft.published_raw, draft.content_hash.hex())
    return hashlib.sha256("\x1f".join(part or "" for part in parts).encode("utf-8", "replace")).digest()[:16]


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):  # NaN of a data frame
        return ""
    return value if isinstance(value, str) else str(value)
