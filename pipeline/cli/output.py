"""How commands print: tables for people, one JSON document for programs, progress only where someone watches."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

JSON = typer.Option(False, "--json", help="Print one JSON document instead of text.")

# Lines between two notes of progress where the output is no terminal, share of the whole.
PLAIN_STEP = 0.1


def say(data: Mapping[str, Any], as_json: bool) -> None:
    """A report of counts: aligned lines, or JSON."""
    if as_json:
        print_json(data)
        return
    width = max((len(key) for key in data), default=0)
    for key, value in data.items():
        typer.echo(f"{key.replace('_', ' '):<{width}}  {_cell(value)}")


def print_json(data: Any) -> None:
    """One JSON document on standard output; times as ISO 8601, decimals as numbers, what is no number as null."""
    shown = json.dumps(_jsonable(data), default=str, ensure_ascii=False, indent=2, allow_nan=False)
    typer.echo(shown)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """A table for people; `empty` is said instead when there are no rows. Text is never read as markup."""
    if not rows:
        typer.echo(empty)
        return
    shown = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        shown.add_row(*[_plain(_cell(value)) for value in row])
    Console().print(shown)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line at each tenth elsewhere; the function given takes the number just done."""
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total)
            yield lambda number: bar.advance(task, number)
    else:
        yield _plain_progress(what, total)


class _RateColumn(ProgressColumn):
    """What gets done in a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


def _plain_progress(what: str, total: int | None) -> Callable[[int], None]:
    done, told, started = 0, 0, time.monotonic()

    def advance(number: int) -> None:
        nonlocal done, told
        done += number
        step = max(1, int(total * PLAIN_STEP)) if total else 10_000
        if done - told >= step or done == total:
            told = done
            rate = done / max(time.monotonic() - started, 1e-9)
            typer.echo(f"{what}: {done}{f' of {total}' if total else ''}, {rate:,.0f}/s", err=True)

    return advance


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return None
    if isinstance(value, Decimal):  # whole numbers stay exact; every reader makes a float of the others
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(inner)}" for key, inner in value.items())
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d %H:%M"))
    return str(value)


def _plain(text: str) -> Any:
    # feeds are hostile: no terminal escapes, no markup
    return Text("".join(c if c.isprintable() else " " for c in text))
