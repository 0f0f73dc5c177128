"""The whole loop on a real database with a tiny real model: labels in, a challenger trained, the gate, the alias."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import random
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from newsroom import NOW, add_articles, add_feed

from pipeline import promotion, retrain, run
from pipeline.errors import UsageError
from pipeline.settings import Settings
from pipeline.store import labels, models, retrainings

MODEL_TESTS = Path(__file__).resolve().parents[1] / "unit" / "model"
AT = NOW.isoformat()


def model_fixtures():
    """The tiny base encoder of the model room's tests."""
    sys.path.insert(0, str(MODEL_TESTS))
    spec = importlib.util.spec_from_file_location("model_conftest", MODEL_TESTS / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Tiny tensors are slower on several threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    """(base encoder, champion directory): a tiny model that was hardly trained."""
    from model.data import Source
    from model.finetune import finetune
    from model.training import TrainConfig

    tests = model_fixtures()
    folder = tmp_path_factory.mktemp("learner")
    (folder / "base").mkdir()
    base = tests.write_base(folder / "base")
    rows = tests.write_rows(folder / "rows.jsonl", tests.make_rows(60, seed=5))
    config = TrainConfig(
        base=str(base),
        epochs=1,
        batch=8,
        learning_rate=1e-3,
        head_factor=1.0,
        dev_share=0.2,
        precision="fp32",
        max_tokens=48,
        tracking=(),
    )
    source = Source("made", rows, "MIT", "made by the test")
    finetune(config, [source], folder / "champion", created_at=AT, device="cpu", command="test")
    return (
        base,
        folder / "champion",
        dataclasses.replace(config, epochs=10, learning_rate=5e-3, precision="auto"),
    )


def suite(folder: Path) -> Path:
    """A behavioural suite that a tiny model can understand."""
    folder.mkdir()
    cases = {"rises": "positive", "falls": "negative", "beats": "positive", "loses": "negative"}
    lines = [
        json.dumps({"id": f"verbs-{i}", "text": f"acme {verb} its sales", "expect": {"sentiment": verdict}})
        for i, (verb, verdict) in enumerate(cases.items())
    ]
    (folder / "verbs.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def line(engine, database_url, tmp_path, learner, monkeypatch):
    """A line whose champion is the tiny model, with 240 labelled articles about what the words say."""
    import model.evaluate
    import model.recipe
    from model.registry import verify

    _, champion, config = learner
    monkeypatch.setattr(model.recipe, "RETRAIN", config)
    monkeypatch.setattr(model.recipe, "own_texts", lambda weight=1.0: [])
    monkeypatch.setattr(model.evaluate, "SUITE", suite(tmp_path / "suite"))
    settings = Settings(
        home=tmp_path / "home",
        database_url=database_url,
        model_device="auto",
        alerts_file=Path(__file__).resolve().parents[2] / "alerts.toml",
        _env_file=None,
    )
    manifest = verify(champion)
    with engine.begin() as connection:
        models.register_model(
            connection, version=manifest.version, path=str(champion), manifest=manifest.to_json(), as_of=NOW
        )
        models.point_alias(
            connection, manifest.version, by="test", reason="first", as_of=NOW - timedelta(days=30)
        )
    return run.Line(settings, engine)


def give_labels(line, *, shuffled: bool = False, start: int = 0, n: int = 240) -> None:
    rows = model_fixtures().make_rows(start + n, seed=9)[start:]
    feed = add_feed(line.engine, f"wire-{start}")
    articles = add_articles(line.engine, feed, [str(row["text"]) for row in rows])
    verdicts = [str(row["sentiment"]) for row in rows]
    if shuffled:
        random.Random(3).shuffle(verdicts)
    given = [
        labels.NewLabel(article, "story", "anna", NOW, "file", sentiment=verdict)
        for article, verdict in zip(articles, verdicts, strict=True)
    ]
    with line.engine.begin() as connection:
        labels.write_labels(connection, given, NOW)


def champion_of(line) -> str:
    with line.engine.connect() as connection:
        return models.champion(connection).version


def row_of(line, run_key="r1") -> retrainings.Retraining:
    with line.engine.connect() as connection:
        return retrainings.find_retraining(connection, run_key)


def one(line, query, **values):
    with line.engine.connect() as connection:
        return connection.execute(sa.text(query), values).scalar_one()


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
    champion = champion_of(line)
    give_labels(line, shuffled=True, start=240)
    done = retrain.retrain(line, "bad", as_of=NOW + timedelta(days=7))
    assert done["state"] == "refused"
    assert "better" in done["gate"]["failed"]
    assert champion_of(line) == champion
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


def test_a_comparison_with_another_champion_promotes_nothing(line, learner, tmp_path):
    give_labels(line)
    for step in (retrain.prepare, retrain.train, retrain.evaluate, retrain.gate):
        step(line, "r1", as_of=NOW)
    with line.engine.begin() as connection:
        models.register_model(connection, version="by-hand", path=str(learner[1]), manifest={}, as_of=NOW)
        models.point_alias(connection, "by-hand", by="anna", reason="by hand", as_of=NOW)
    with pytest.raises(UsageError, match="the champion changed"):
        retrain.promote(line, "r1", as_of=NOW)
    assert champion_of(line) == "by-hand"
