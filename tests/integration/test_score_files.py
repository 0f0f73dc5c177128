"""Bulk scoring of Parquet files with the starter: processes, a kill and a second run, bad files, Ray."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model.bulk import Options, score_files
from model.errors import DataError, DeviceFailed, ModelError
from model.inference import Classifier
from model.registry import STARTER, load_manifest, write_manifest

TEXTS = ["Acme shares plunge after a profit warning", "Borel raises its dividend", "", None]


def write(folder: Path, name: str, rows: int = len(TEXTS), **columns) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    texts = [TEXTS[n % len(TEXTS)] for n in range(rows)]
    companies = [["Acme"] if text and "Acme" in text else None for text in texts]
    table = {"id": list(range(rows)), "text": texts, "companies": companies, **columns}
    pq.write_table(pa.table(table), path)
    return path


def check(path: Path, rows: int = len(TEXTS)) -> None:
    """Every row is there, in order, with a verdict or a reason."""
    found = pq.read_table(path).to_pylist()
    assert [row["id"] for row in found] == list(range(rows))
    for row in found:
        if not row["text"]:
            assert (row["error"], row["sentiment"]) == ("no text", None)
            continue
        assert row["sentiment"] == ("negative" if "Acme" in row["text"] else "positive")
        assert row["negative"] + row["neutral"] + row["positive"] == pytest.approx(1, abs=1e-3)
        assert row["topics"]
        assert set(json.loads(row["company_sentiment"])) == ({"Acme"} if "Acme" in row["text"] else set())


def test_two_processes_score_every_file_and_a_second_run_skips_them(tmp_path):
    for name in ("a.parquet", "b.parquet", "c.parquet"):
        write(tmp_path / "in", name)
    pattern, out = f"{tmp_path}/in/*.parquet", str(tmp_path / "out")
    told = []
    report = score_files(pattern, out, workers=2, progress=told.append)
    assert (report.files, report.skipped, report.rows, report.errors, report.failed) == (3, 0, 12, 6, ())
    assert sum(told) == 3
    for name in ("a.parquet", "b.parquet", "c.parquet"):
        check(tmp_path / "out" / name)
    again = score_files(pattern, out, workers=2)
    assert (again.skipped, again.rows) == (3, 0)


def test_results_of_another_model_are_not_taken_for_this_ones(tmp_path):
    """All files were skipped, and what stood in the folder were the verdicts of the model before."""
    write(tmp_path / "in", "a.parquet")
    pattern, out = f"{tmp_path}/in/*.parquet", str(tmp_path / "out")
    other = tmp_path / "model"
    shutil.copytree(STARTER, other)
    write_manifest(other, dataclasses.replace(load_manifest(other), version="another"))
    score_files(pattern, out)
    with pytest.raises(
        DataError, match=r"holds verdicts of model .*, not of another; write these to another"
    ):
        score_files(pattern, out, options=Options(str(other)))
    unsaid = pq.read_table(tmp_path / "out" / "a.parquet").replace_schema_metadata({})
    pq.write_table(unsaid, tmp_path / "out" / "a.parquet")  # as an earlier release wrote it
    assert score_files(pattern, out, options=Options(str(other))).skipped == 1


def test_a_device_that_fails_leaves_no_file_without_verdicts(tmp_path, monkeypatch):
    """A file full of errors would count as done, and never be scored."""
    write(tmp_path / "in", "a.parquet")
    pattern, out = f"{tmp_path}/in/*.parquet", str(tmp_path / "out")

    def encode(self, ids, mask):
        raise torch.OutOfMemoryError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "_encode", encode)
        with pytest.raises(DeviceFailed, match="no room"):
            score_files(pattern, out)
    assert list((tmp_path / "out").glob("*.parquet")) == []
    assert score_files(pattern, out).skipped == 0
    check(tmp_path / "out" / "a.parquet")


def test_a_bad_file_costs_itself_only(tmp_path):
    write(tmp_path / "in", "good.parquet")
    (tmp_path / "in" / "bad.parquet").write_bytes(b"PAR1 no more")
    pq.write_table(pa.table({"headline": ["x"]}), tmp_path / "in" / "other.parquet")
    report = score_files(f"{tmp_path}/in/*.parquet", str(tmp_path / "out"))
    assert [Path(file.path).name for file in report.failed] == ["bad.parquet", "other.parquet"]
    assert "cannot be read as Parquet" in report.failed[0].failure
    assert "has no column `text`; it has headline" in report.failed[1].failure
    assert sorted(path.name for path in (tmp_path / "out").glob("*.parquet")) == ["good.parquet"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": pa.array([1, 2])}, "holds int64 in `text`; make it a column of strings"),
        ({"companies": pa.array([1, 2])}, "holds int64 in `companies`; make it lists of strings"),
        ({"companies": pa.array(["Acme", None])}, "holds string in `companies`; make it lists"),
        ({"companies": pa.array([[1], []])}, "int64> in `companies`; make it lists"),
        ({"text": pa.array([b"Acme", b"\xff"]).view(pa.string())}, "cannot be scored (UnicodeDecodeError"),
    ],
)
def test_columns_that_hold_something_else_cost_their_file_only(tmp_path, columns, said):
    """Strings as other writers store them are strings too."""
    names = pa.array([["Acme"], None], pa.large_list(pa.large_string()))
    texts = pa.array([TEXTS[0], None]).dictionary_encode()
    write(tmp_path / "in", "good.parquet", rows=2, text=texts, companies=names)
    write(tmp_path / "in", "bad.parquet", rows=2, **columns)
    report = score_files(f"{tmp_path}/in/*.parquet", str(tmp_path / "out"))
    assert [Path(file.path).name for file in report.failed] == ["bad.parquet"]
    assert said in report.failed[0].failure
    assert report.failed[0].path in report.failed[0].failure
    rows = pq.read_table(tmp_path / "out" / "good.parquet").to_pylist()
    assert [row["sentiment"] for row in rows] == ["negative", None]
    assert set(json.loads(rows[0]["company_sentiment"])) == {"Acme"}


def test_an_own_result_can_be_scored_again_and_an_empty_file_stays_empty(tmp_path):
    write(tmp_path / "in", "a.parquet")
    write(
        tmp_path / "in",
        "empty.parquet",
        rows=0,
        text=pa.array([], pa.string()),
        companies=pa.array([], pa.list_(pa.string())),
    )
    score_files(f"{tmp_path}/in/*.parquet", str(tmp_path / "once"))
    score_files(f"{tmp_path}/once/*.parquet", str(tmp_path / "twice"))
    assert pq.read_table(tmp_path / "once/a.parquet").equals(pq.read_table(tmp_path / "twice/a.parquet"))
    assert pq.read_table(tmp_path / "twice/empty.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("pattern", "out", "said"),
    [
        ("{0}/in/*.csv", "{0}/out", "no file matches"),
        ("{0}/nowhere/*.parquet", "{0}/out", "cannot be read"),
        ("{0}/in/*.parquet", "{0}/in/", "another folder"),
    ],
)
def test_a_wrong_pattern_or_folder_is_refused(tmp_path, pattern, out, said):
    write(tmp_path / "in", "a.parquet")
    with pytest.raises(DataError, match=said):
        score_files(pattern.format(tmp_path), out.format(tmp_path))


def test_a_model_that_cannot_be_loaded_is_said_before_processes_start(tmp_path):
    from model.bulk import Options

    for name in ("a.parquet", "b.parquet"):
        write(tmp_path / "in", name)
    with pytest.raises(ModelError, match="nowhere"):
        score_files(
            f"{tmp_path}/in/*.parquet",
            str(tmp_path / "out"),
            workers=2,
            options=Options(str(tmp_path / "nowhere")),
        )


def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path):
    rows = 1_000  # of the last file: many pieces, so that the kill comes between two of them
    for name, size in (("a.parquet", 4), ("b.parquet", 4), ("c.parquet", rows)):
        write(tmp_path / "in", name, size)
    out = tmp_path / "out"
    arguments = ["score-files", f"{tmp_path}/in/*.parquet", "--out", str(out), "--json"]
    in_small_pieces = (
        "import model.bulk_files; model.bulk_files.ROWS = 64; from pipeline.cli import main; main()"
    )
    command = [sys.executable, "-c", in_small_pieces, *arguments]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ends = time.monotonic() + 200
    while not (out / "c.parquet.partial").exists():
        assert first.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < ends
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert sorted(path.name for path in out.glob("*.parquet")) == ["a.parquet", "b.parquet"]
    second = subprocess.run(command, capture_output=True, check=True, text=True)
    report = json.loads(second.stdout)
    assert (report["skipped"], report["rows"]) == (2, rows)
    check(out / "c.parquet", rows)


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'undertow[ray]'")
def test_two_ray_actors_score_every_file_as_processes_do(tmp_path):
    for name in ("a.parquet", "b.parquet", "c.parquet"):
        write(tmp_path / "in", name)
    (tmp_path / "in" / "bad.parquet").write_bytes(b"PAR1 no more")
    report = score_files(f"{tmp_path}/in/*.parquet", str(tmp_path / "out"), workers=2, engine="ray")
    assert (report.rows, report.errors, len(report.failed)) == (12, 6, 1)
    for name in ("a.parquet", "b.parquet", "c.parquet"):
        check(tmp_path / "out" / name)
    again = score_files(f"{tmp_path}/in/[a-c].parquet", str(tmp_path / "out"), workers=2, engine="ray")
    assert (again.skipped, again.rows) == (3, 0)


def test_ray_missing_is_said_with_what_to_do(tmp_path, monkeypatch):
    write(tmp_path / "in", "a.parquet")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DataError, match=r"undertow\[ray\]"):
        score_files(f"{tmp_path}/in/*.parquet", str(tmp_path / "out"), engine="ray")
