"""Model versions: a new starter after an upgrade, directories brought in by hand, files that are not the version's."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from learning import champion_of, make_line, one, row_of
from test_score import NOW, add_stories, count
from test_score import run as score_with
from typer.testing import CliRunner

from model.errors import ModelError, ModelFileError
from model.registry import MANIFEST, STARTER, WEIGHTS, load_manifest, write_manifest
from pipeline import promotion, retrain, run
from pipeline.cli import build_app
from pipeline.errors import ConfigurationError, ModelUnavailable, UsageError
from pipeline.platform import doctor
from pipeline.store import models, retrainings, scores

OLD, SHIPPED = "20250101-0a0b0c0d", load_manifest(STARTER).version
LATER = NOW + timedelta(days=1)


@pytest.fixture
def line(engine, database_url, tmp_path):
    line = make_line(engine, database_url, tmp_path / "home")
    return replace(line, settings=line.settings.model_copy(update={"operator_receiver": "ops"}))


@pytest.fixture
def old(line) -> int:
    """The champion is the starter of an older Undertow, which has read two stories."""
    with line.engine.begin() as connection:
        stored = models.register_model(connection, version=OLD, path="starter", manifest={}, as_of=NOW)
        models.point_alias(connection, OLD, by="first run", reason="the starter that ships", as_of=NOW)
    add_stories(line.engine, ["Acme shares plunge", "Borel raises its dividend"])
    score_with(line.engine, stored.id)
    return stored.id


def read_by(line, version: str) -> int:
    query = "select count(*) from scores join model_versions m on m.id = model_version_id where version = :v"
    return one(line, query, v=version)


def copy_of_the_starter(folder: Path, version: str, **changes) -> Path:
    """A model directory with a version of its own."""
    shutil.copytree(STARTER, folder)
    write_manifest(folder, replace(load_manifest(folder), version=version, **changes))
    return folder


# ---- an upgrade


def test_a_new_starter_is_a_version_of_its_own_and_takes_over(line, old):
    with line.engine.begin() as connection:
        retrainings.open_retraining(connection, "r1", old, NOW)
    add_stories(line.engine, ["Acme shares plunge again"], start=100)
    done = run.score(line, as_of=LATER)
    assert (done["model"], done["scored"]) == (SHIPPED, 1)
    assert champion_of(line) == SHIPPED
    assert (read_by(line, OLD), read_by(line, SHIPPED)) == (2, 1), (
        "no verdict of the new under the old's name"
    )
    with line.engine.connect() as connection:
        event = models.alias_history(connection)[0]
    assert (event.set_by, event.reason) == (
        "undertow",
        "the starter that ships with this version of Undertow",
    )
    assert count(line.engine, "notifications") == 1, "the operator is told"
    assert row_of(line).overtaken, "a retraining from the old one can neither go on nor be taken up for ever"
    with pytest.raises(UsageError, match="retrain again"):
        retrain.evaluate(line, "r1", as_of=LATER)

    one_a_run = replace(line, settings=line.settings.model_copy(update={"score_run_stories": 1}))
    read = run.read_history(one_a_run, as_of=LATER)
    assert (read["scored"], read_by(line, SHIPPED)) == (3, 3), (
        "the history was queued, and is read to its end"
    )
    assert run.read_history(line, as_of=LATER)["scored"] == 0
    run.ensure_champion(line, as_of=LATER + timedelta(hours=1))
    assert count(line.engine, "model_alias_events") == 2, "again changes nothing"


def test_a_starter_that_is_gone_says_so_and_comes_back_when_it_is_added(line, old, tmp_path, monkeypatch):
    run.ensure_champion(line, as_of=LATER)
    for attempt in (
        lambda: promotion.rollback(line, by="anna", reason="as before"),
        lambda: run.score(line, rescore=OLD),
        lambda: run.load_classifier(line, _stored(line, OLD)),
    ):
        add_rescore(line, old)
        with pytest.raises(ModelUnavailable, match=r"left with the upgrade.*`undertow models add`"):
            attempt()
    assert retrain.overlap(line, as_of=LATER)["scored"] == 0

    added = promotion.add(line, copy_of_the_starter(tmp_path / "old" / "starter", OLD))
    assert added["version"] == OLD
    promotion.rollback(line, by="anna", reason="as before", as_of=LATER + timedelta(hours=1))
    assert run.ensure_champion(line, as_of=LATER + timedelta(hours=2)).version == OLD
    assert run.load_classifier(line, _stored(line, OLD)).version == OLD


def add_rescore(line, model_id: int) -> None:
    with line.engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into score_queue (story_id, model_version_id, available_at)"
                " select id, :m, available_at from stories on conflict do nothing"
            ),
            {"m": model_id},
        )


def _stored(line, version: str) -> models.StoredModel:
    with line.engine.connect() as connection:
        return models.find_model(connection, version)


def test_the_doctor_of_a_new_undertow_finds_its_starter_well(line, old):
    found = doctor._model(line.settings)
    assert (found.verdict, found.found.split()[0]) == ("ok", SHIPPED)
    assert "the next `undertow score` makes it champion" in found.found


def test_a_clock_that_runs_behind_crowns_the_starter_once(line, old):
    """A switch that lay before the one in force would leave the old starter champion, and be made again and again."""
    for _ in range(2):
        assert run.ensure_champion(line, as_of=NOW - timedelta(days=1)).version == SHIPPED
    assert count(line.engine, "model_alias_events") == 2


def test_a_switch_by_a_clock_that_runs_behind_or_stands_is_in_force(line, tmp_path):
    run.ensure_champion(line, as_of=LATER)
    promotion.add(line, copy_of_the_starter(tmp_path / "candidate", "v7"), as_of=NOW)
    promotion.promote(line, "v7", by="anna", reason="try it", as_of=LATER - timedelta(minutes=2))
    assert champion_of(line) == "v7"
    said = promotion.rollback(line, by="anna", reason="bad", as_of=LATER)
    assert said["champion"] == champion_of(line) == SHIPPED
    with line.engine.connect() as connection:
        events = models.alias_history(connection)
    assert [event.version for event in events] == [SHIPPED, "v7", SHIPPED]
    assert len({event.set_at for event in events}) == 3, (
        "no two at one moment: which is in force would be open"
    )


def test_a_switch_that_lies_ahead_is_in_force_for_what_is_counted_unless_a_time_is_asked_for(
    line, old, monkeypatch
):
    run.ensure_champion(line, as_of=LATER)
    add_stories(line.engine, ["Acme shares plunge again"], start=100)
    with monkeypatch.context() as patch:
        patch.setattr(run, "now", lambda: NOW + timedelta(hours=1))
        assert run.score(line)["model"] == SHIPPED
        assert run.detect(line)["counted"] == 1
        assert run.build_baselines(line)["series"] > 0
    assert one(line, "select count(*) from counted_stories where live") == 1
    assert run.build_baselines(line, as_of=NOW - timedelta(hours=1))["series"] == 0, "then there was none"


def test_a_kill_in_the_switch_leaves_the_old_state_and_many_at_once_switch_once(line, old, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(scores, "enqueue_rescore", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            run.ensure_champion(line, as_of=LATER)
    assert champion_of(line) == OLD
    assert count(line.engine, "model_versions") == 1
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: run.ensure_champion(line, as_of=LATER).version, range(4)))
    assert found == [SHIPPED] * 4
    assert count(line.engine, "model_alias_events") == 2
    assert one(line, "select count(*) from score_queue where model_version_id is not null") == 2


def test_first_runs_at_once_crown_the_starter_once(line):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run.ensure_champion(line, as_of=NOW), range(4)))
    assert count(line.engine, "model_alias_events") == 1


def test_a_champion_that_was_promoted_stays_over_an_upgrade(line, old):
    with line.engine.begin() as connection:
        models.register_model(connection, version="trained", path="models/r1", manifest={}, as_of=NOW)
        models.point_alias(connection, "trained", by="retrain r1", reason="better", as_of=NOW)
    assert run.ensure_champion(line, as_of=LATER).version == "trained"


def test_files_of_another_version_do_not_score(line):
    with line.engine.begin() as connection:
        stored = models.register_model(connection, version="v9", path=str(STARTER), manifest={}, as_of=NOW)
    with pytest.raises(ModelUnavailable, match=rf"where model v9 should be .* there is {SHIPPED}"):
        run.load_classifier(line, stored)


# ---- undertow models add


def test_a_finetuned_directory_becomes_a_candidate_that_can_be_promoted(
    line, database_url, tmp_path, monkeypatch
):
    monkeypatch.setenv("UNDERTOW_DATABASE_URL", database_url)
    monkeypatch.setenv("UNDERTOW_HOME", str(line.settings.home))
    folder = copy_of_the_starter(tmp_path / "candidate", "20260504-1a2b3c4d")
    app, arguments = build_app(), ["models", "add", str(folder)]
    said = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert "undertow models promote 20260504-1a2b3c4d --reason" in said
    first = json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert first == {"version": "20260504-1a2b3c4d", "state": "candidate", "path": "models/20260504-1a2b3c4d"}
    assert count(line.engine, "model_versions") == 1
    shutil.rmtree(folder)
    promotion.promote(line, first["version"], by="anna", reason="try it", as_of=NOW)
    add_stories(line.engine, ["Acme shares plunge"])
    assert run.score(line, as_of=LATER)["model"] == first["version"]


def test_adding_brings_back_what_is_gone_and_changes_nothing_that_is_whole(line, tmp_path):
    folder = copy_of_the_starter(tmp_path / "candidate", "v7")
    place = line.settings.home / promotion.add(line, folder, as_of=NOW)["path"]
    written = (place / WEIGHTS).stat().st_mtime_ns
    promotion.add(line, folder, as_of=LATER)
    assert (place / WEIGHTS).stat().st_mtime_ns == written
    (place / WEIGHTS).write_bytes(b"half")
    promotion.add(line, folder, as_of=LATER)
    assert load_manifest(place).version == "v7"
    assert (place / WEIGHTS).read_bytes() == (STARTER / WEIGHTS).read_bytes()
    run.ensure_champion(line, as_of=NOW)
    assert promotion.add(line, STARTER)["path"] == "starter", "what ships needs no copy"
    assert not list(line.settings.home.rglob("*.partial"))


def test_a_broken_or_foreign_directory_is_refused_with_the_reason(line, tmp_path):
    folder = copy_of_the_starter(tmp_path / "candidate", "v7")
    (folder / "model.bin").touch()
    with pytest.raises(ModelFileError, match="runs code when loaded"):
        promotion.add(line, folder)
    with pytest.raises(ModelFileError, match="not a model of ours"):
        promotion.add(line, tmp_path)
    adapted = copy_of_the_starter(tmp_path / "adapted", "v8", settings={"stage": "adapted"})
    with pytest.raises(ModelError):
        promotion.add(line, adapted)
    outside = copy_of_the_starter(tmp_path / "outside", "../../v9")
    with pytest.raises(UsageError, match="cannot name a folder"):
        promotion.add(line, outside)
    assert count(line.engine, "model_versions") == 0
    (folder / "model.bin").unlink()
    promotion.add(line, folder)
    other = copy_of_the_starter(tmp_path / "other", "v7", temperatures={"sentiment": 2.0})
    with pytest.raises(UsageError, match=r"v7 is registered already, and .* is another model"):
        promotion.add(line, other)
    assert (line.settings.home / "models" / "v7" / MANIFEST).is_file()


@pytest.mark.parametrize("missing", ["wandb", "mlflow"])
def test_curves_for_a_package_that_is_missing_stop_a_retraining_before_it_trains(line, missing):
    from pipeline.challenger import start_of

    settings = line.settings.model_copy(update={"tracking": missing, "retrain_start_from": "base"})
    champion = run.ensure_champion(line, as_of=NOW)
    with line.engine.begin() as connection:
        row = retrainings.open_retraining(connection, "r1", champion.id, NOW)
    with pytest.raises(ConfigurationError, match=f"UNDERTOW_TRACKING is {missing}, which is not installed"):
        start_of(replace(line, settings=settings), champion, row)
