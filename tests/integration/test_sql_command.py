"""`undertow sql`: what it prints and saves, and that it changes nothing unless told so."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Undertow

from pipeline.cli import platform


def test_sql_answers_as_table_json_csv_and_parquet(undertow: Undertow, home: str, tmp_path: Path) -> None:
    import pandas as pd

    statement = "select n, '50%' as share from generate_series(1, 3) as n"
    assert "50%" in undertow("sql", statement, HOME=home).stdout
    assert json.loads(undertow("sql", statement, "--json", HOME=home).stdout)[2] == {"n": 3, "share": "50%"}
    for name, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        undertow("sql", statement, f"--{name}", str(tmp_path / f"x.{name}"), HOME=home)
        assert list(read(tmp_path / f"x.{name}")["n"]) == [1, 2, 3]


def test_the_example_of_sql_runs(
    undertow: Undertow, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    example = (platform.sql.__doc__ or "").partition("Example: undertow ")[2]
    done = undertow(*shlex.split(example), HOME=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "days.csv").read_text().startswith("series_id,kind,")


def test_sql_saves_exact_values(undertow: Undertow, home: str, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    statement = (
        "select * from (values (9007199254740993, 1, '{}'::jsonb, '1'::jsonb, 'ü'), (null, null, '{}', '\"a\"', null),"
        " (1, 2, null, '{\"b\": [1, \"c\"]}', '')) as rows (large, small, empty, mixed, word)"
    )
    undertow("sql", statement, "--csv", str(tmp_path / "x.csv"), HOME=home)
    assert list(csv.reader((tmp_path / "x.csv").open())) == [
        ["large", "small", "empty", "mixed", "word"],
        ["9007199254740993", "1", "{}", "1", "ü"],
        ["", "", "{}", '"a"', ""],
        ["1", "2", "", '{"b": [1, "c"]}', ""],
    ]
    done = undertow("sql", statement, "--parquet", str(tmp_path / "x.parquet"), HOME=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert pq.read_table(tmp_path / "x.parquet").to_pydict() == {
        "large": [9007199254740993, None, 1],
        "small": [1, None, 2],
        "empty": ["{}", "{}", None],
        "mixed": ["1", '"a"', '{"b": [1, "c"]}'],
        "word": ["ü", None, ""],
    }


def test_sql_prints_every_value_as_valid_json(undertow: Undertow, home: str, tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    statement = (
        "select 1.5 as part, 9007199254740993::numeric as whole, 'NaN'::numeric as none, 'inf'::float8 as most,"
        " array[0.1, null] as several, '\\x2a00'::bytea as bytes, array['\\x01'::bytea] as many,"
        """ '{"b": [1, "c"]}'::jsonb as mixed, timestamptz '2026-05-01' as day"""
    )
    done = undertow("sql", statement, "--json", HOME=home)
    assert json.loads(done.stdout, parse_constant=refuse) == [
        {
            "part": 1.5,
            "whole": 9007199254740993,
            "none": None,
            "most": None,
            "several": [0.1, None],
            "bytes": "\\x2a00",
            "many": ["\\x01"],
            "mixed": {"b": [1, "c"]},
            "day": "2026-05-01 00:00:00+00:00",
        }
    ]
    assert "\\x2a00" in undertow("sql", "select '\\x2a00'::bytea as bytes", HOME=home).stdout
    undertow("sql", "select '\\x2a00'::bytea as bytes", "--csv", str(tmp_path / "x.csv"), HOME=home)
    assert (tmp_path / "x.csv").read_text() == "bytes\n\\x2a00\n"


def test_sql_keeps_bytes_as_they_are_in_parquet(undertow: Undertow, home: str, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    statement = "select '\\x2a00'::bytea as bytes"
    assert undertow("sql", statement, "--parquet", str(tmp_path / "x.parquet"), HOME=home).returncode == 0
    assert pq.read_table(tmp_path / "x.parquet").to_pydict() == {"bytes": [b"*\x00"]}


def test_sql_changes_nothing_unless_told_so(undertow: Undertow, home: str) -> None:
    statement = "insert into host_states values ('h', now(), 'test') returning host"
    refused = undertow("sql", statement, HOME=home)
    assert refused.returncode == 2
    assert "--write allows it" in refused.stderr
    assert "h" in undertow("sql", "--write", statement, HOME=home).stdout


def test_sql_without_a_statement_is_psql(home: str) -> None:
    program = str(Path(sys.executable).with_name("undertow"))
    environment = {**os.environ, "UNDERTOW_HOME": home}
    typed = "select 'from ' || 'psql' as word; create table x (n int);"
    done = subprocess.run([program, "sql"], env=environment, capture_output=True, text=True, input=typed)
    assert "from psql" in done.stdout
    assert "read-only transaction" in done.stderr
    assert done.returncode != 0
