"""The whole loop on a real database with a tiny real model: labels in, a challenger trained, the gate, the alias."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import pytest
from learning import champion_of, crown, give_labels, make_champion, make_line, make_small, one, row_of
from newsroom import NOW

from pipeline import promotion, retrain
from pipeline.errors import UsageError
from pipeline.store import desk_models, models


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Tiny tensors are slower on several threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    """Directory of a tiny model that was hardly trained."""
    return make_champion(tmp_path_factory.mktemp("learner"))


@pytest.fixture
def line(engine, database_url, tmp_path, champion, monkeypatch):
    """A line whose champion is the tiny model, and that retrains in seconds."""
    make_small(monkeypatch.setattr, champion, tmp_path)
    line = make_line(engine, database_url, tmp_path / "home")
    crown(line, champion)
    return line


def test_too_few_labels_train_nothing(line):
    give_labels(line, n=30)
    done = retrain.retrain(line, "r1", as_of=NOW)
    assert (done["state"], done["new_labels"], done["needed"]) == ("skipped", 30, 200)
    assert row_of(line) is None


def test_from_labels_to_promotion_and_back(line):
    give_labels(line)
    before = champion_of(line)
    done = retrain.retrain(line, "r1", as_of=NOW)
    assert done["state"] == "promoted", done["gate"]
    row = row_of(line)
    after = champion_of(line)
    assert after != before
    assert one(line, "select analytics.champion_at(:t)", t=NOW - timedelta(seconds=1)) == before
    assert one(line, "select analytics.champion_at(:t)", t=NOW) == after

    frozen = one(line, "select count(*) from frozen_articles")
    assert frozen == row.metrics["articles"] == 72
    learnt = {json.loads(text)["text"] for text in retrain.run_files(line, "r1").new.open()}
    judged = {json.loads(text)["text"] for text in retrain.run_files(line, "r1").frozen.open()}
    assert not learnt & judged
    assert row.metrics["challenger"]["accuracy"] > row.metrics["champion"]["accuracy"]
    html = Path(row.report_path).read_text()
    assert "The challenger passed" in html
    assert before in html
    assert all(f"recall of {name}" in html for name in ("negative", "neutral", "positive"))
    assert "internal" in html, "the licence of each source is named"

    assert one(line, "select count(*) from scores join model_versions m on m.id = model_version_id where version = :v", v=after) > 0  # fmt: skip
    assert retrain.retrain(line, "r1", as_of=NOW)["state"] == "promoted", "again changes nothing"
    assert one(line, "select count(*) from model_alias_events") == 2

    compared = promotion.compare(line, before)
    assert compared["figures"]["accuracy"][1] > compared["figures"]["accuracy"][0]
    back = promotion.rollback(line, by="anna", reason="a drill", as_of=NOW + timedelta(hours=1))
    assert (back["champion"], back["before"]) == (before, after)
    assert champion_of(line) == before
    assert promotion.describe(line)["champion_since"][0].endswith("by anna: a drill")
    assert retrain.enough(line)["new_labels"] == 0


def test_shuffled_labels_keep_the_champion_and_say_why(line):
    give_labels(line)
    good = retrain.retrain(line, "good", as_of=NOW)
    assert good["state"] == "promoted", good["gate"]
    kept = champion_of(line)
    give_labels(line, shuffled=True, start=240)
    done = retrain.retrain(line, "bad", as_of=NOW + timedelta(days=7))
    assert done["state"] == "refused"
    assert "better" in done["gate"]["failed"]
    assert champion_of(line) == kept
    row = row_of(line, "bad")
    assert any("not shown to be better" in reason for reason in row.reasons)
    assert one(line, "select state from model_versions where id = :id", id=row.challenger_id) == "rejected"
    assert "The champion stays" in Path(row.report_path).read_text()
    with pytest.raises(UsageError, match="the gate refused"):
        retrain.promote(line, "bad")
    seen = {json.loads(text)["text"] for text in retrain.run_files(line, "good").new.open()}
    judged = {json.loads(text)["text"] for text in retrain.run_files(line, "bad").frozen.open()}
    assert not seen & judged, "what the champion was trained on never becomes a test"


@pytest.mark.parametrize("point", ["train_challenger", "write_dataset", "measure", "render_report"])
def test_a_failure_at_any_step_leaves_the_champion_and_the_next_try_finishes(line, monkeypatch, point):
    from pipeline.label import learn, measure, report

    give_labels(line)
    before = champion_of(line)
    home = {"measure": measure, "render_report": report}.get(point, learn)
    whole = getattr(home, point)

    def broken(*args, **kwargs):
        whole(*args, **kwargs)
        raise RuntimeError("the machine went away")

    monkeypatch.setattr(home, point, broken)
    with pytest.raises(RuntimeError):
        retrain.retrain(line, "r1", as_of=NOW)
    assert champion_of(line) == before
    monkeypatch.setattr(home, point, whole)
    again = retrain.retrain(line, as_of=NOW)
    assert again["state"] == "promoted", again["gate"]
    if point != "write_dataset":  # then the run had not begun
        assert again["run_key"] == "r1", "it goes on with the unfinished run"
    assert one(line, "select count(*) from retrainings") == 1


def test_approval_waits_for_a_person(line):
    line = dataclasses.replace(line, settings=line.settings.model_copy(update={"retrain_approval": True}))
    give_labels(line)
    before = champion_of(line)
    assert retrain.retrain(line, "r1", as_of=NOW)["state"] == "awaiting_approval"
    assert champion_of(line) == before
    assert retrain.approve(line, as_of=NOW)["state"] == "promoted"
    assert champion_of(line) != before
    with pytest.raises(UsageError, match="no retraining waits"):
        retrain.approve(line)


def test_a_comparison_with_another_champion_promotes_nothing(line, champion):
    give_labels(line)
    for step in (retrain.prepare, retrain.train, retrain.evaluate, retrain.gate):
        step(line, "r1", as_of=NOW)
    with line.engine.begin() as connection:
        models.register_model(connection, version="by-hand", path=str(champion), manifest={}, as_of=NOW)
        models.point_alias(connection, "by-hand", by="anna", reason="by hand", as_of=NOW)
    with pytest.raises(UsageError, match="the champion changed"):
        retrain.promote(line, "r1", as_of=NOW)
    assert champion_of(line) == "by-hand"


def test_an_overtaken_run_is_over_and_the_next_one_learns_from_its_labels(line, champion):
    give_labels(line)
    for step in (retrain.prepare, retrain.train, retrain.evaluate, retrain.gate):
        step(line, "r1", as_of=NOW)
    first = champion_of(line)
    with line.engine.begin() as connection:
        models.register_model(connection, version="by-hand", path=str(champion), manifest={}, as_of=NOW)
        models.point_alias(connection, "by-hand", by="anna", reason="by hand", as_of=NOW)
    with pytest.raises(UsageError, match="the champion changed"):
        retrain.retrain(line, as_of=NOW)
    row = row_of(line)
    assert (row.state, row.finished_at) == ("refused", NOW)
    assert row.reasons == ["the champion changed since run r1 began"]
    assert [r["reasons"] for r in _page_of_models(line)] == [row.reasons]

    with line.engine.begin() as connection:
        models.point_alias(connection, first, by="anna", reason="back again", as_of=NOW)
    for step in (retrain.gate, retrain.evaluate, retrain.after_promotion):  # what a cleared DAG run does
        step(line, "r1", as_of=NOW)
    with pytest.raises(UsageError, match="the champion changed"):
        retrain.promote(line, "r1", as_of=NOW)
    assert row_of(line) == row

    frozen = one(line, "select count(*) from frozen_articles")
    assert retrain.enough(line)["new_labels"] == 240
    again = retrain.retrain(line, as_of=NOW + timedelta(hours=1))
    assert again["run_key"] != "r1"
    assert again["state"] == "promoted", again["gate"]
    assert again["prepare"]["new"] == row.data["new"]
    assert one(line, "select count(*) from frozen_articles") == frozen, "what r1 was taught judges nobody"
    assert retrain.enough(line)["new_labels"] == 0


def _page_of_models(line):
    with line.engine.connect() as connection:
        return desk_models.retrainings(connection)


def test_a_challenger_that_was_promoted_by_hand_has_what_its_run_wanted(line):
    give_labels(line)
    for step in (retrain.prepare, retrain.train, retrain.evaluate, retrain.gate):
        step(line, "r1", as_of=NOW)
    version = one(line, "select version from model_versions where id = :id", id=row_of(line).challenger_id)
    promotion.promote(line, version, by="anna", reason="it passed", as_of=NOW)
    assert retrain.retrain(line, as_of=NOW)["promote"] == {"champion": version, "already": True}
    assert row_of(line).state == "promoted"
    assert one(line, "select count(*) from model_alias_events") == 2
