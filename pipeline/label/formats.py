"""Label files in and out: CSV and JSON lines here, Label Studio and Argilla in `tools`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import InputFileError
from pipeline.label import tools
from pipeline.label.records import FileLabel, Mistake, StoredLabel, read_row

# With these a spreadsheet takes the text of a cell for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
FORMATS = ("csv", "jsonl", "label-studio", "argilla")
COLUMNS = (
    "article_id",
    "feed",
    "guid",
    "url",
    "title",
    "target",
    "company",
    "sentiment",
    "topics",
    "labelled_by",
    "labelled_at",
    "origin",
    "confidence",
    "queue_reason",
    "schema_version",
    "note",
)


def read_labels(path: Path, kind: str | None = None) -> Iterator[FileLabel | Mistake]:
    """Every label of a file, and every row that is none with the reason.

    `kind` is one of FORMATS, or None: told from the ending and the first record. Raises InputFileError where the file
    cannot be read at all.
    """
    kind = kind or guess_format(path)
    if kind not in FORMATS:
        raise InputFileError(f"{kind!r} is no label format", f"it is one of {', '.join(FORMATS)}")
    try:
        if kind == "csv":
            yield from _read_csv(path)
        elif kind == "jsonl":
            yield from _read_json_lines(path)
        else:
            records = load_json(path)
            yield from (
                tools.read_label_studio(records) if kind == "label-studio" else tools.read_argilla(records)
            )
    except OSError as error:
        raise _unreadable(path, error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(f"{path} cannot be read: {error}", "give a file in UTF-8") from error


def guess_format(path: Path) -> str:
    """The format of a label file. Raises InputFileError when it cannot be told."""
    match path.suffix.lower():
        case ".csv":
            return "csv"
        case ".jsonl" | ".ndjson":
            return "jsonl"
        case ".json":
            first = next(iter(load_json(path)), {})
            return "label-studio" if "data" in first or "annotations" in first else "argilla"
    raise InputFileError(f"{path} ends in {path.suffix!r}", f"say --format, one of {', '.join(FORMATS)}")


def load_json(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON file that holds a list (or one object). Raises InputFileError."""
    try:
        records = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{path} is not JSON: {error}", "export it again") from error
    records = [records] if isinstance(records, dict) else records
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputFileError(f"{path} is not a list of objects", "export it again")
    return records


def _unreadable(path: Path, error: OSError) -> InputFileError:
    return InputFileError(f"{path} cannot be read ({error.strerror})", "name a file of labels")


def _read_csv(path: Path) -> Iterator[FileLabel | Mistake]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        for number, row in enumerate(csv.DictReader(lines), 1):
            yield from read_row({name: _unquoted(value) for name, value in row.items()}, number)


def _unquoted(value: Any) -> Any:
    """A cell without the quote that keeps its text from being a formula."""
    if isinstance(value, str) and value.startswith("'") and value[1:].startswith(FORMULA_STARTS):
        return value[1:]
    return value


def _read_json_lines(path: Path) -> Iterator[FileLabel | Mistake]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Mistake(number, f"not JSON: {error}")
                continue
            if isinstance(row, dict):
                yield from read_row(row, number)
            else:
                yield Mistake(number, "not a JSON object")


def write_labels(path: Path, kind: str, labels: Iterable[StoredLabel]) -> int:
    """Writes labels in one of FORMATS; what was written can be read back. Returns the number of labels."""
    stored = list(labels)
    if kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, COLUMNS)
            writer.writeheader()
            for label in stored:
                row = {**_row(label), "topics": ",".join(label.topics or ())}
                writer.writerow({name: no_formula(value) for name, value in row.items()})
    elif kind == "jsonl":
        with path.open("w", encoding="utf-8") as out:
            for label in stored:
                row = {**_row(label), "topics": list(label.topics or ()), "text": label.text}
                out.write(json.dumps({k: v for k, v in row.items() if v not in (None, "", [])}) + "\n")
    elif kind in FORMATS:
        records = tools.to_label_studio(stored) if kind == "label-studio" else tools.to_argilla(stored)
        path.write_text(json.dumps(records, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    else:
        raise InputFileError(f"{kind!r} is no label format", f"it is one of {', '.join(FORMATS)}")
    return sum(label.target is not None for label in stored)


def no_formula(value: Any) -> Any:
    """A cell of a CSV file: text that a spreadsheet would calculate, as what feeds wrote may be, behind a quote."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _row(label: StoredLabel) -> dict[str, Any]:
    row = {name: getattr(label, name) for name in COLUMNS}
    return {**row, "labelled_at": label.labelled_at.isoformat() if label.labelled_at else None}
