"""Labelled examples and where they come from: JSON lines, CSV or Parquet in, `Example`s out.

An Example carries any subset of the labels; what it does not carry is masked in the loss. A Source names its
file, its licence and how its columns map to our words; the ledger of all sources is stored in every model.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from model.errors import DataError, LicenceError
from model.example import CompanyLabel, Example, find_spans, normalise
from model.labels import SENTIMENTS, TOPICS

#: SPDX identifier (or a plain word) -> may a model trained on it be used commercially? What is not here is refused.
LICENCES: Final[dict[str, bool]] = {
    "Apache-2.0": True,
    "MIT": True,
    "BSD-2-Clause": True,
    "BSD-3-Clause": True,
    "CC0-1.0": True,
    "CC-BY-4.0": True,
    "CC-BY-SA-4.0": True,
    "ODC-By-1.0": True,
    "ODC-PDDL-1.0": True,
    "internal": True,  # labels given by the people who run this installation, on text they may use
    "CC-BY-NC-4.0": False,
    "CC-BY-NC-SA-3.0": False,
    "CC-BY-NC-SA-4.0": False,
    "unknown": False,
}

USES: Final = ("commercial", "research")


@dataclass(frozen=True, slots=True)
class Source:
    """A file of examples. `columns` maps our words to the file's, `values` the file's labels to ours (null: unknown).

    `weight` is how often each of its examples is drawn per epoch: 1 once, 2 twice, 0.5 every other epoch.
    `block` > 0 keeps runs of that many rows on one side of a split, for files whose neighbours are near-twins.
    """

    name: str
    path: Path
    licence: str
    origin: str = ""
    weight: float = 1.0
    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str | None] = field(default_factory=dict)
    block: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.weight, int | float) or not 0 <= self.weight < math.inf:
            raise DataError(f"source {self.name}: weight {self.weight!r} is no number from 0 on")
        if not isinstance(self.block, int) or self.block < 0:
            raise DataError(f"source {self.name}: block {self.block!r} is no number of rows")


# --- reading --------------------------------------------------------------------------------------------------


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a .jsonl, .csv or .parquet file. Raises DataError with file and line on a broken one."""
    try:
        yield from _read_rows(path)
    # Not UTF-8, an endless cell, a Parquet file cut short; a time beyond Python's, or in a zone that is not known.
    except (ValueError, csv.Error, ArithmeticError, LookupError) as error:
        raise DataError(f"{path} cannot be read ({error}); text files must be UTF-8") from error


def _read_rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise DataError(f"no file {path}; give the path of a .jsonl, .csv or .parquet file")
    match path.suffix.lower():
        case ".jsonl" | ".json":
            yield from _read_json_lines(path)
        case ".csv":
            with path.open(newline="", encoding="utf-8-sig") as lines:
                yield from csv.DictReader(lines)
        case ".parquet":
            import pyarrow.parquet as parquet

            for batch in parquet.ParquetFile(path).iter_batches(4096):
                yield from batch.to_pylist()
        case other:
            raise DataError(f"{path} ends in {other!r}; examples are read from .jsonl, .csv or .parquet")


def _read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"{path}:{number} is not JSON ({error}); one object per line is expected"
                ) from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number} is not a JSON object; one object per line is expected")
            yield row


def read_source(source: Source) -> list[Example]:
    """All examples of a source. Raises DataError naming the row whose label is not one of ours."""
    examples = []
    for number, row in enumerate(read_rows(source.path), 1):
        try:
            example = make_example(row, source)
        except DataError as error:
            raise DataError(f"{source.path}, row {number}: {error}") from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{source.path}, row {number}: {error!r}; companies are an object of names and sentiments, or a list"
                " of objects with `name` and `sentiment`"
            ) from error
        if example is not None:
            block = (
                f"{source.path.stem}:{number // source.block}" if source.block and not example.story else ""
            )
            examples.append(replace(example, story=block) if block else example)
    return examples


def make_example(row: Mapping[str, Any], source: Source) -> Example | None:
    """One row as an Example, or None where it has no text."""

    def get(word: str) -> Any:
        return row.get(source.columns.get(word, word))

    text = str(get("text") or "").strip()
    if not text:
        return None
    text = normalise(text)
    topics = get("topics") or ()
    return Example(
        text=text,
        sentiment=_sentiment(get("sentiment"), source.values),
        companies=tuple(_companies(text, get("companies") or {}, source.values)),
        topics=tuple(_topic(t) for t in ([topics] if isinstance(topics, str) else topics)),
        source=source.name,
        story=str(get("story") or ""),
        published_at=str(get("published_at") or ""),
    )


def _sentiment(label: Any, values: Mapping[str, str | None]) -> str | None:
    label = values.get(label, label) if isinstance(label, str) else label
    if label is None or label == "":
        return None
    if label not in SENTIMENTS:
        raise DataError(f"sentiment {label!r} is none of {', '.join(SENTIMENTS)}; map it under `values`")
    return str(label)


def _topic(label: str) -> str:
    if label not in TOPICS:
        raise DataError(f"topic {label!r} is not in model/labels.py")
    return label


def _companies(text: str, companies: Any, values: Mapping[str, str | None]) -> Iterator[CompanyLabel]:
    """Companies given as {name: sentiment} or [{name, sentiment, spans}]; one whose name is not in the text is left."""
    if isinstance(companies, str):
        companies = json.loads(companies)
    if isinstance(companies, Mapping):
        companies = [{"name": name, "sentiment": label} for name, label in companies.items()]
    for given in companies:
        company: Mapping[str, Any] = {"name": given} if isinstance(given, str) else given
        spans = tuple((int(a), int(b)) for a, b in company.get("spans") or ()) or find_spans(
            text, company["name"]
        )
        label = _sentiment(company.get("sentiment"), values)
        if spans:
            yield CompanyLabel(company["name"], spans, label)


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Examples as JSON lines that `read_source` reads back."""
    with path.open("w", encoding="utf-8") as out:
        for example in examples:
            row = {
                "text": example.text,
                "sentiment": example.sentiment,
                "companies": [
                    {"name": c.name, "spans": [list(s) for s in c.spans], "sentiment": c.sentiment}
                    for c in example.companies
                ],
                "topics": list(example.topics),
                "story": example.story,
                "published_at": example.published_at,
            }
            out.write(json.dumps({k: v for k, v in row.items() if v}, ensure_ascii=False) + "\n")


# --- licences -------------------------------------------------------------------------------------------------


def check_licences(sources: Sequence[Source], use: str = "commercial") -> None:
    """Raises LicenceError naming the first source whose licence forbids `use` or is not known."""
    if use not in USES:
        raise LicenceError(f"use {use!r} is none of {', '.join(USES)}")
    for source in sources:
        if source.licence not in LICENCES:
            raise LicenceError(
                f"source {source.name}: licence {source.licence!r} is not listed in model/data.py"
            )
        if use == "commercial" and not LICENCES[source.licence]:
            raise LicenceError(
                f"source {source.name} is under {source.licence}, which forbids commercial use; leave it out, or "
                "declare the use as 'research' (the model's manifest will say so)"
            )


def ledger(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """What a manifest says of its data, per file: source, origin, licence, digest, rows, weight."""
    return [
        {
            "name": s.name,
            "file": s.path.name,
            "origin": s.origin,
            "licence": s.licence,
            "commercial": LICENCES.get(s.licence, False),
            "sha256": digest(s.path),
            "examples": sum(1 for _ in read_rows(s.path)),
            "weight": s.weight,
        }
        for s in sources
    ]


def digest_of(sources: Sequence[Source]) -> str:
    """SHA-256 over what sources are and hold: the same data, read in the same way, has the same one."""
    parts = [f"{s.name} {s.weight} {s.block} {s.columns} {s.values} {digest(s.path)}" for s in sources]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def with_stories(examples: Sequence[Example], stories: Sequence[str]) -> list[Example]:
    """The same examples, each in the story given for it."""
    return [replace(e, story=s) for e, s in zip(examples, stories, strict=True)]
