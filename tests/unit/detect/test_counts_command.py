"""`undertow detect-counts`: a file of counts in, a file of ticks out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from pipeline.cli.detect import register
from pipeline.errors import InputFileError

COUNTS = "series,window_start,negative\n" + "".join(
    f"Acme,2026-05-01T{hour:02d}:00:00Z,{hour % 3}\n" for hour in range(24)
)


def detect_counts(source: Path, target: Path) -> None:
    root = Typer()
    register(root)
    arguments = ["detect-counts", "--input", str(source), "--output", str(target)]
    CliRunner().invoke(root, arguments, catch_exceptions=False)


def test_a_row_per_quarter_says_how_unusual_it_is(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text(COUNTS)
    detect_counts(tmp_path / "counts.csv", tmp_path / "ticks.csv")
    with (tmp_path / "ticks.csv").open() as file:
        ticks = list(csv.DictReader(file))
    assert {tick["series"] for tick in ticks} == {"Acme"}
    assert {"score", "severity", "state"} <= set(ticks[0])


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_ticks_are_never_written_over_their_counts(tmp_path: Path, link: str | None) -> None:
    source = target = tmp_path / "counts.csv"
    source.write_text(COUNTS)
    if link:
        target = tmp_path / "ticks.csv"
        getattr(target, link)(source)
    with pytest.raises(InputFileError, match="another file"):
        detect_counts(source, target)
    assert source.read_text() == COUNTS
