"""Adapting without labels, and looking for settings: tiny runs of the real thing."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from model_rows import make_rows

from model.encoders import load_base, load_model
from model.errors import DataError, TrainingError
from model.finetune import finetune
from model.inference import Classifier
from model.pretrain import MaskingCollator, pretrain
from model.registry import load_manifest
from model.search import search

AT = "2026-01-31T00:00:00+00:00"


def test_hidden_tokens_are_scored_and_special_ones_never_hidden(tiny_base):
    torch.manual_seed(1)
    tokenizer = load_base(str(tiny_base)).tokenizer
    batch = MaskingCollator(tokenizer)(["acme rises after a strong quarter"] * 200)
    chosen = batch["labels"] >= 0
    assert 0.10 < chosen[:, 1:-1].float().mean() < 0.20
    assert not chosen[:, 0].any()
    assert not chosen[:, -1].any()
    masked = (batch["input_ids"] == tokenizer.mask_token_id)[chosen].float().mean()
    assert 0.7 < masked < 0.9
    assert (MaskingCollator(tokenizer)(["acme"])["labels"] >= 0).any()


def test_adapting_lowers_the_loss_on_newer_texts_and_fine_tuning_goes_on_from_it(
    tiny_config, tiny_source, tmp_path
):
    texts = [str(r["text"]) for r in make_rows(300, seed=3)]
    config = dataclasses.replace(tiny_config, epochs=3, learning_rate=5e-3)
    result = pretrain(config, texts, tmp_path / "adapted", created_at=AT, device="cpu")
    assert result.loss_after < result.loss_before - 0.3
    before, after = load_base(config.base).network.encoder, load_model(tmp_path / "adapted").network.encoder
    words = "embeddings.word_embeddings.weight"
    torch.testing.assert_close(before.state_dict()[words], after.state_dict()[words], atol=1e-3, rtol=1e-2)
    tuned = dataclasses.replace(tiny_config, start=str(tmp_path / "adapted"), epochs=1)
    finetune(tuned, [tiny_source], tmp_path / "tuned", created_at=AT, device="cpu")
    assert load_manifest(tmp_path / "tuned").parent == load_manifest(tmp_path / "adapted").version
    assert load_model(tmp_path / "tuned").network.wide is not None  # its heads are new, so are its tables
    assert Classifier.load(tmp_path / "tuned", "cpu").predict(["acme rises"])


def test_too_few_texts_are_refused(tiny_config, tmp_path):
    with pytest.raises(DataError, match="too few"):
        pretrain(tiny_config, ["one"], tmp_path / "m", created_at=AT)


def test_a_search_tries_settings_and_returns_the_best(tiny_config, tiny_source, tmp_path):
    config = dataclasses.replace(tiny_config, epochs=1)
    found = search(config, [tiny_source], tmp_path, trials=2, device="cpu")
    assert 0 <= found.score <= 1
    assert found.config != config
    assert 2e-5 <= found.config.learning_rate <= 4e-4
    assert 0 <= found.config.smoothing <= 0.15
    assert (tmp_path / "study.db").exists()


def test_a_study_of_other_settings_or_data_is_not_gone_on_with(tiny_config, tiny_source, tmp_path):
    """Its scores are no measure for these: the best of both would be told as the best of these."""
    config = dataclasses.replace(tiny_config, epochs=1)
    search(config, [tiny_source], tmp_path, trials=1, device="cpu")
    with pytest.raises(TrainingError, match="other settings or data"):
        search(dataclasses.replace(config, batch=16), [tiny_source], tmp_path, trials=1, device="cpu")
