"""Verdicts for texts, or a file of them: JSON lines, CSV, Parquet or plain lines in, JSON lines out; a bad line is a
line of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from model.data import read_rows
from model.errors import DataError
from model.example import find_spans
from model.inference import Classifier
from model.verdict import Failure, Probabilities, TextInput, Verdict
from model.writable import writing


@dataclass
class Counts:
    """Lines with a verdict and lines with an error."""

    judged: int = 0
    failed: int = 0


@dataclass(frozen=True)
class _Line:
    """A line of the input: its number, its row (or why it has none)."""

    number: int
    row: dict[str, Any]
    error: str = ""

    def input(self) -> TextInput:
        return TextInput("" if self.error else self.row["text"], self.row.get("companies") or ())


def predict_file(classifier: Classifier, source: Path, target: Path, *, progress: bool = False) -> Counts:
    """Judge every line of `source`, write JSON lines to `target` ('-' is standard output), in order.

    Raises DataError when the file itself is not there or of another kind, or when `target` is that file or cannot be
    written.
    """
    if not source.is_file():
        raise DataError(
            f"no file {source}; give a .jsonl, .csv or .parquet file with a `text` column, or a .txt"
        )
    # Opening it to write would empty it before a line is read; a link to it is the same file.
    if str(target) != "-" and target.exists() and target.samefile(source):
        raise DataError(f"{target} is the input itself; write the verdicts to another file")
    counts = Counts()
    with ExitStack() as stack:
        out: TextIO = sys.stdout
        if str(target) != "-":
            with writing(target):
                out = stack.enter_context(target.open("w", encoding="utf-8"))
        step = _bar(stack) if progress else lambda: None
        for line, verdict in _judged(classifier, source):
            body = _answer(line, verdict)
            counts.failed += "error" in body
            counts.judged += "error" not in body
            out.write(_written(body) + "\n")
            step()
    return counts


def predict_texts(
    classifier: Classifier, texts: Sequence[str], companies: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The same answers for texts at hand, in order; a text is asked about those of `companies` that it names."""
    lines = [
        _checked(n, {"text": text, "companies": [c for c in companies if find_spans(text, c)]})
        for n, text in enumerate(texts, 1)
    ]
    verdicts = classifier.predict([line.input() for line in lines])
    return [_answer(line, verdict) for line, verdict in zip(lines, verdicts, strict=True)]


def _judged(classifier: Classifier, source: Path) -> Iterator[tuple[_Line, Verdict | Failure]]:
    """Lines with their verdicts; what is read ahead for the classifier waits in a queue."""
    from collections import deque

    waiting: deque[_Line] = deque()

    def inputs() -> Iterator[TextInput]:
        for line in read_lines(source):
            waiting.append(line)
            yield line.input()

    for verdict in classifier.iter_predict(inputs()):
        yield waiting.popleft(), verdict


def read_lines(source: Path) -> Iterator[_Line]:
    """Lines of the file; one that cannot be read is a line with an error."""
    if source.suffix.lower() == ".txt":
        with source.open(encoding="utf-8-sig", errors="replace") as lines:
            yield from (_checked(n, {"text": t.strip()}) for n, t in enumerate(lines, 1) if t.strip())
        return
    if source.suffix.lower() not in (".jsonl", ".json", ".ndjson"):
        for number, row in enumerate(read_rows(source), 1):
            yield _checked(number, row)
        return
    with source.open(encoding="utf-8", errors="replace") as lines:
        for number, text in enumerate(lines, 1):
            if text.strip():
                yield _parsed(number, text)


def _parsed(number: int, text: str) -> _Line:
    try:
        return _checked(number, json.loads(text))
    except (ValueError, RecursionError) as error:
        return _Line(number, {}, f"not JSON: {error}")


def _checked(number: int, row: Any) -> _Line:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return _Line(number, {}, "no `text`")
    companies = row.get("companies") or []
    if isinstance(companies, str):  # a CSV cell
        companies = [c.strip() for c in companies.split(";") if c.strip()]
    if not isinstance(companies, list) or not all(isinstance(c, str) for c in companies):
        return _Line(number, {}, "`companies` is not a list of names")
    return _Line(number, {**row, "companies": companies})


def _answer(line: _Line, verdict: Verdict | Failure) -> dict[str, Any]:
    if line.error or isinstance(verdict, Failure):
        reason = line.error or (verdict.reason if isinstance(verdict, Failure) else "")
        return {"line": line.number, "error": reason}
    body = {k: v for k, v in line.row.items() if k != "companies"} | _words(verdict.sentiment)
    body["topics"] = {t: round(verdict.topics[t], 4) for t in verdict.main_topics()}
    if verdict.companies:
        body["companies"] = {name: _words(p) for name, p in verdict.companies.items()}
    return body


def _written(body: dict[str, Any]) -> str:
    """The body as a line of JSON; half a surrogate pair, which JSON can say and UTF-8 cannot, becomes a `?`."""
    return json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace").decode()


def _words(said: Probabilities) -> dict[str, Any]:
    return {
        "sentiment": said.label,
        "score": round(said.score, 4),
        "probabilities": {k: round(v, 4) for k, v in said._asdict().items()},
    }


def _bar(stack: ExitStack) -> Any:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("judged"), MofNCompleteColumn(), TimeElapsedColumn())
    progress = stack.enter_context(Progress(*columns, console=Console(stderr=True)))
    task = progress.add_task("judged", total=None)
    return lambda: progress.advance(task)
