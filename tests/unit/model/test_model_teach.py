"""A teacher fills in the labels that are missing, softens those that are there, and is named in what it taught."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from model_rows import make_rows, write_rows

from model.batches import join_examples, swap_names, targets
from model.card import render_card
from model.data import Source, digest
from model.errors import BaseModelError
from model.example import CompanyLabel, Example
from model.finetune import finetune, read_split
from model.inference import Classifier
from model.recipe import load_teacher
from model.registry import load_manifest
from model.starting import make_starter
from model.teach import teach

AT = "2026-01-31T00:00:00+00:00"
UNSURE = (0.7, 0.2, 0.1)


def test_opinions_stand_in_for_missing_labels_and_soften_given_ones():
    topics = tuple(1.0 if i == 4 else 0.0 for i in range(20))
    examples = [
        Example("a", taught=UNSURE, taught_topics=topics),
        Example("b", "positive", companies=(CompanyLabel("b", ((0, 1),), "neutral", UNSURE),), taught=UNSURE),
        Example("c", "positive"),
    ]
    found = targets(examples, torch.tensor([[[0.0]], [[1.0]], [[0.0]]]), 0.5)
    assert found["sentiment_target"][0].tolist() == pytest.approx(UNSURE)
    assert found["sentiment_target"][1].tolist() == pytest.approx([0.35, 0.1, 0.55])
    assert found["sentiment_target"][2].tolist() == [0, 0, 1]
    assert found["company_target"][1, 0].tolist() == pytest.approx([0.35, 0.6, 0.05])
    assert found["company_target"][0].sum() == 0
    assert found["topics_target"][0].argmax() == 4
    assert found["topics_target"][1].sum() == 0


def test_opinions_on_a_whole_text_end_where_another_joins_it_and_those_on_companies_move_along():
    company = CompanyLabel("Acme", ((0, 4),), None, UNSURE)
    first = Example("Acme rises", "positive", (company,), taught=UNSURE, taught_topics=(1.0,))
    second = Example("Borel falls", "negative", (CompanyLabel("Borel", ((0, 5),), "negative"),))
    joined = join_examples(first, second, "; ")
    assert (joined.taught, joined.taught_topics, joined.sentiment) == ((), (), None)
    assert joined.companies[0].taught == UNSURE
    (renamed,) = swap_names(first, ("Xyzcorp",), 1.0).companies
    assert (renamed.name, renamed.taught) == ("Xyzcorp", UNSURE)


def test_a_teacher_says_what_it_thinks_of_every_text(tiny_model):
    company = CompanyLabel("acme", ((0, 4),))
    examples = [Example("acme rises sales", companies=(company,)), Example("borel falls sales")]
    up, down = teach(tiny_model, examples, "cpu")
    verdicts = Classifier.load(tiny_model, "cpu").predict([e.text for e in examples])
    for example, verdict in zip((up, down), verdicts, strict=True):
        assert sum(example.taught) == pytest.approx(1, abs=1e-3)
        assert example.taught == pytest.approx(tuple(verdict.sentiment), abs=0.03)
        assert len(example.taught_topics) == 20
    assert max(up.companies[0].taught) == up.companies[0].taught[2]


def test_a_student_learns_what_only_its_teacher_knows(tiny_model, tiny_config, tmp_path):
    """Its own texts carry topics alone; what they say of sentiment it can have from the teacher only."""
    rows = [{"text": r["text"], "topics": r["topics"]} for r in make_rows(150, seed=5)]
    source = Source("bare", write_rows(tmp_path / "bare.jsonl", rows), "MIT")
    config = dataclasses.replace(tiny_config, teacher=str(tiny_model))
    finetune(config, [source], tmp_path / "m", created_at=AT, device="cpu")
    texts = ["acme rises sales", "borel falls sales", "bank beats its profit", "corp loses for no quarter"]
    said = [v.sentiment.label for v in Classifier.load(tmp_path / "m", "cpu").predict(texts)]
    assert said == ["positive", "negative", "positive", "negative"]
    manifest = load_manifest(tmp_path / "m")
    assert manifest.teacher["version"] == load_manifest(tiny_model).version
    assert str(tiny_model) not in str(manifest.to_json())


def test_the_development_split_is_never_shown_to_a_teacher(tiny_model, tiny_source, tiny_config, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "model.finetune.teach", lambda folder, examples, device: shown.extend(examples) or 1 / 0
    )
    config = dataclasses.replace(tiny_config, teacher=str(tiny_model))
    with pytest.raises(ZeroDivisionError):
        finetune(config, [tiny_source], Path("never"), created_at=AT, device="cpu")
    assert not {e.text for e in shown} & {e.text for e in read_split([tiny_source], config).dev}


def test_a_starter_trains_its_teacher_once(tiny_config, tiny_source, tmp_path, monkeypatch):
    config = dataclasses.replace(tiny_config, epochs=1)
    teacher = dataclasses.replace(tiny_config, epochs=2)
    monkeypatch.setattr("model.starting.measure", lambda out, config, sources: load_manifest(out))
    made = make_starter(
        config, [tiny_source], tmp_path / "m", created_at=AT, teacher=teacher, work=tmp_path / "w"
    )
    assert made.teacher["settings"]["epochs"] == 2
    trained_at = (tmp_path / "w" / "teacher" / "manifest.json").stat().st_mtime_ns
    again = make_starter(
        config, [tiny_source], tmp_path / "m2", created_at=AT, teacher=teacher, work=tmp_path / "w"
    )
    assert (tmp_path / "w" / "teacher" / "manifest.json").stat().st_mtime_ns == trained_at
    assert again.files == made.files


def test_a_recipe_names_its_teacher_by_digest(tiny_base, tiny_config, tmp_path):
    recipe = tmp_path / "recipe.toml"
    good = digest(tiny_base / "model.safetensors")
    recipe.write_text(f'[config]\n[teacher]\nbase = "somebody/encoder"\nepochs = 3\nsha256 = "{good}"\n')
    found = load_teacher(recipe, tiny_config, tiny_base)
    assert (found.epochs, found.base, found.batch) == (3, str(tiny_base), tiny_config.batch)
    recipe.write_text(recipe.read_text().replace(good, "0" * 64))
    with pytest.raises(BaseModelError, match="is not the encoder"):
        load_teacher(recipe, tiny_config, tiny_base)
    recipe.write_text("[config]\n")
    assert load_teacher(recipe, tiny_config) is None


def test_the_card_names_the_teacher(tiny_model):
    manifest = load_manifest(tiny_model)
    metrics = {"stored": {}, "behaviour": {"kinds": {}, "cases": 1, "overall": 1.0}, "train_seconds": 120.0}
    teacher = {"base": {"name": "large"}, "share": 0.5, "train_seconds": 600.0}
    card = render_card(dataclasses.replace(manifest, metrics=metrics, teacher=teacher))
    assert "`large`" in card
    assert "10 minutes to train the teacher and 2" in card
    assert "teacher" not in render_card(dataclasses.replace(manifest, metrics=metrics))
