"""The whole loop on a real database with a tiny real model: labels in, a challenger trained, the gate, the alias."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from learning import (
    champion_of,
    crown,
    give_labels,
    label_texts,
    make_champion,
    make_line,
    make_small,
    one,
    row_of,
    teach_until,
    texts_of,
)
from newsroom import NOW

from pipeline import approval, promotion, rehearse, retrain, run
from pipeline.errors import UsageError
from pipeline.label import measure
from pipeline.label.gate import decide
from pipeline.store import desk_labels, desk_models, labels, models, retrainings


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


def test_from_labels_to_promotion_and_back(line, monkeypatch):
    monkeypatch.setattr(retrain, "ADAPT_LEAST", 100)
    give_labels(line)
    before = champion_of(line)
    done = retrain.retrain(line, "r1", as_of=NOW)
    assert done["state"] == "promoted", done["gate"]
    row = row_of(line)
    after = champion_of(line)
    assert after != before
    assert one(line, "select analytics.champion_at(:t)", t=NOW - timedelta(seconds=1)) == before
    assert one(line, "select analytics.champion_at(:t)", t=NOW) == after

    files = retrain.run_files(line, "r1")
    assert list(files.curves.rglob("events.out.tfevents.*")), "UNDERTOW_TRACKING is tensorboard by default"
    assert row.data["adapted"]["texts"] >= 100
    assert not any(path.exists() for path in (files.work, files.adapted, files.texts)), (
        "a week's copy of an encoder"
    )
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


WORDS = [
    "sold its mill",
    "hired a cook",
    "opened two plants",
    "sued her bank",
    "lost one ship",
    "built tall towers",
]
TAUGHT = {f"Firm{place} {words}": "neutral" for place, words in enumerate(WORDS)}
FALLS = "Orvex profit falls {} % in the third quarter of the year"


def test_a_corrected_label_of_what_was_taught_is_learnt_and_judges_nobody(line):
    label_texts(line, TAUGHT, "first")
    teach_until(line, one(line, "select max(id) from labels"))
    corrected = labels.NewLabel(
        one(line, "select min(id) from articles"), "story", "anna", NOW, "desk",
        sentiment="negative", queue_reason="random",
    )  # fmt: skip
    with line.engine.begin() as connection:
        labels.write_labels(connection, [corrected], NOW)
    retrain.prepare(line, "r1", as_of=NOW)
    learnt, judged = texts_of(line, "r1")
    assert not judged
    assert learnt == set(TAUGHT)
    assert retrain.prepare(line, "r1", as_of=NOW)["new"] == 1


@pytest.mark.parametrize("taken_back", [False, True])
def test_a_re_issue_of_what_was_taught_judges_nobody(line, taken_back):
    label_texts(line, {**TAUGHT, FALLS.format(12): "negative"}, "first")
    last = one(line, "select max(id) from labels")
    teach_until(line, last)
    if taken_back:
        with line.engine.begin() as connection:
            desk_labels.retract_label(connection, last, who="anna", as_of=NOW)
    label_texts(line, {FALLS.format(17): "negative", "Vexor wins a prize": "positive"}, "second", "random")
    retrain.prepare(line, "r1", as_of=NOW)
    learnt, judged = texts_of(line, "r1")
    assert judged == {"Vexor wins a prize"}
    assert FALLS.format(17) in learnt
    assert (FALLS.format(12) in learnt) != taken_back


def test_a_re_issue_of_what_is_judged_on_is_not_learnt_when_its_label_is_taken_back(line):
    label_texts(line, {FALLS.format(12): "negative"}, "first", "random")
    retrain.prepare(line, "r1", as_of=NOW)
    assert texts_of(line, "r1")[1] == {FALLS.format(12)}
    with line.engine.begin() as connection:
        last = one(line, "select max(id) from labels")
        desk_labels.retract_label(connection, last, who="anna", as_of=NOW)
    label_texts(line, {FALLS.format(17): "negative", **TAUGHT}, "second")
    retrain.prepare(line, "r2", as_of=NOW)
    learnt, judged = texts_of(line, "r2")
    assert FALLS.format(17) not in judged, "neither the newest nor drawn: else this tests nothing"
    assert FALLS.format(17) not in learnt


@pytest.mark.parametrize("key", ["..", ".", "models/..", "a b"])
def test_a_run_key_that_is_no_plain_name_touches_nothing(line, key):
    give_labels(line)
    kept = line.settings.home / "models" / "kept"
    kept.mkdir(parents=True)
    for step in (retrain.retrain, retrain.prepare, retrain.train):
        with pytest.raises(UsageError, match="letters, digits"):
            step(line, key, as_of=NOW)
    assert list(line.settings.home.rglob("*")) == [kept.parent, kept]
    assert row_of(line, key) is None


USEFUL = """
with alert as (
  insert into alerts (series_id, state, severity, pending_at, fired_at, last_crossed_at, last_evaluated_at, peak_score,
                      rule_version)
  select id, 'resolved', 'warning', :at, :at, :at, :at, 5, 'test' from series limit 1
  returning id
)
insert into feedback (alert_id, kind, given_by, given_at) select id, 'useful', 'anna', :at from alert
"""


def test_a_short_history_judges_the_alerts_that_it_can(line, champion, tmp_path):
    """The challenger is the champion: what people called useful and neither raises again is no reason to refuse it."""
    from model.registry import load_manifest, write_manifest
    from pipeline.rehearse import rehearse

    copy = shutil.copytree(champion, tmp_path / "twin")
    write_manifest(copy, dataclasses.replace(load_manifest(champion), version="twin"))
    label_texts(line, TAUGHT, "first")
    with line.engine.begin() as connection:
        stored = models.champion(connection)
        twin = models.register_model(connection, version="twin", path=str(copy), manifest={}, as_of=NOW)
    run.score(line, as_of=NOW)
    run.build_windows(line, as_of=NOW)
    with line.engine.begin() as connection:
        connection.execute(sa.text(USEFUL), {"at": NOW - timedelta(days=1)})
    replayed = rehearse(line, stored, twin, NOW)
    assert replayed == {
        "days": 1,
        "champion": 0,
        "challenger": 0,
        "useful": 0,
        "useful_missed": 0,
        "called_useful": 1,
        "history_days": 1,
    }


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


def test_figures_that_a_kill_kept_from_the_row_are_stored_by_the_next_try(line, monkeypatch):
    """The evidence is a file, its figures are on the row: a kill between the two is not for ever."""
    give_labels(line)
    store = retrainings.update_retraining

    def broken(connection, run_key, **changes):
        if "metrics" in changes:
            raise RuntimeError("the database went away")
        store(connection, run_key, **changes)

    with monkeypatch.context() as patch:
        patch.setattr(retrainings, "update_retraining", broken)
        with pytest.raises(RuntimeError):
            retrain.retrain(line, "r1", as_of=NOW)
    assert retrain.run_files(line, "r1").evidence.is_file()
    assert row_of(line).metrics == {}
    again = retrain.retrain(line, as_of=NOW)
    assert (again["run_key"], again["state"]) == ("r1", "promoted")
    assert row_of(line).metrics["articles"] == 72


def test_what_is_measured_again_takes_the_place_of_the_figures_before(line, monkeypatch):
    give_labels(line)
    for step in (retrain.prepare, retrain.train, retrain.evaluate):
        step(line, "r1", as_of=NOW)
    file = retrain.run_files(line, "r1").evidence
    measured, before = json.loads(file.read_text()), row_of(line).metrics
    measured["evidence"]["won"] += 1
    file.unlink()
    monkeypatch.setattr(measure, "measure", lambda *_, **__: measured)
    monkeypatch.setattr(retrain, "rehearse", lambda *_: None)
    retrain.evaluate(line, "r1", as_of=NOW)
    assert row_of(line).metrics == {**before, "won": before["won"] + 1}


def test_approval_waits_for_a_person(line):
    line = dataclasses.replace(line, settings=line.settings.model_copy(update={"retrain_approval": True}))
    give_labels(line)
    before = champion_of(line)
    assert retrain.retrain(line, "r1", as_of=NOW)["state"] == "awaiting_approval"
    assert champion_of(line) == before
    assert approval.approve(line, as_of=NOW)["state"] == "promoted"
    assert champion_of(line) != before
    for answer in (approval.approve, approval.decline):
        with pytest.raises(UsageError, match="no retraining waits"):
            answer(line)


def test_a_no_ends_the_run_for_good(line):
    line = dataclasses.replace(line, settings=line.settings.model_copy(update={"retrain_approval": True}))
    give_labels(line)
    before = champion_of(line)
    retrain.retrain(line, "r1", as_of=NOW)
    for _ in range(2):  # Airflow may try its task again
        assert approval.decline(line, "r1", as_of=NOW)["state"] == "refused"
    assert row_of(line).reasons[-1] == "A person declined the promotion."
    with pytest.raises(UsageError, match="no retraining waits"):
        approval.approve(line, as_of=NOW)
    with pytest.raises(UsageError, match="a person declined"):
        retrain.promote(line, "r1", as_of=NOW)
    assert champion_of(line) == before


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


@pytest.mark.parametrize("overtaken", [False, True])
def test_nothing_waits_for_a_challenger_that_will_not_be_champion(line, champion, monkeypatch, overtaken):
    """With more history than a rehearsal reads, the rest is still queued when the run ends."""
    monkeypatch.setattr(rehearse, "REHEARSED_MOST", 100)
    give_labels(line)
    for step in (retrain.prepare, retrain.train, retrain.evaluate):
        step(line, "r1", as_of=NOW)
    queued = "select count(*) from score_queue where model_version_id = :id"
    challenger = row_of(line).challenger_id
    assert one(line, queued, id=challenger) == 140
    if overtaken:
        with line.engine.begin() as connection:
            models.register_model(connection, version="by-hand", path=str(champion), manifest={}, as_of=NOW)
            models.point_alias(connection, "by-hand", by="anna", reason="by hand", as_of=NOW)
        with pytest.raises(UsageError, match="the champion changed"):
            retrain.promote(line, "r1", as_of=NOW)
    else:
        monkeypatch.setattr(
            retrain, "decide", lambda evidence: dataclasses.replace(decide(evidence), promote=False)
        )
        retrain.gate(line, "r1", as_of=NOW)
    assert row_of(line).state == "refused"
    assert one(line, queued, id=challenger) == 0
    assert one(line, "select count(*) from score_queue where model_version_id is null") == 240, (
        "live news waits on"
    )
