"""A model directory is complete and safe, or it is refused with an explanation."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import pytest

from model.encoders import load_model
from model.errors import BaseModelError, DataError, LabelMismatch, ModelFileError
from model.inference import Classifier
from model.registry import (
    MANIFEST,
    WEIGHTS,
    check_out,
    find_base,
    load_manifest,
    load_state,
    save_model,
    seal,
    verify,
)


def rewrite(folder, **changes):
    """Change the manifest and seal it again, as a forger would."""
    body = json.loads((folder / MANIFEST).read_text()) | changes
    body["seal"] = seal(body)
    (folder / MANIFEST).write_text(json.dumps(body))


def test_a_model_names_its_base_its_data_and_its_files(tiny_model):
    manifest = verify(tiny_model)
    assert manifest.base.kind == "directory"
    assert manifest.data[0]["licence"] == "MIT"
    assert set(manifest.files) == {p.name for p in tiny_model.iterdir()} - {MANIFEST}
    assert manifest.version.startswith("20260131-")
    assert set(manifest.temperatures) == set(manifest.smoothings) == {"sentiment", "company", "topics"}


def test_changed_weights_are_refused(copy_of_model):
    raw = bytearray((copy_of_model / WEIGHTS).read_bytes())
    raw[-1] ^= 1
    (copy_of_model / WEIGHTS).write_bytes(raw)
    with pytest.raises(ModelFileError, match="digest differs"):
        Classifier.load(copy_of_model)


def test_a_manifest_of_another_release_says_to_retrain(copy_of_model):
    rewrite(copy_of_model, format=2)
    with pytest.raises(ModelFileError, match="format 2, this release reads 1; retrain it"):
        load_manifest(copy_of_model)


def test_a_changed_manifest_is_refused(copy_of_model):
    text = (copy_of_model / MANIFEST).read_text()
    (copy_of_model / MANIFEST).write_text(text.replace('"MIT"', '"Apache-2.0"'))
    with pytest.raises(ModelFileError, match="changed after it was written"):
        load_manifest(copy_of_model)


@pytest.mark.parametrize(
    ("name", "words"),
    [("extra.json", "does not name"), ("weights.bin", "runs code"), ("weights.PT", "runs code")],
)
def test_foreign_and_pickled_files_are_refused(copy_of_model, name, words):
    (copy_of_model / name).write_bytes(pickle.dumps({}))
    with pytest.raises(ModelFileError, match=words):
        verify(copy_of_model)


def test_a_missing_file_is_refused(copy_of_model):
    (copy_of_model / "config.json").unlink()
    with pytest.raises(ModelFileError, match="missing"):
        verify(copy_of_model)


def test_other_labels_are_refused_by_name(copy_of_model):
    labels = json.loads((copy_of_model / MANIFEST).read_text())["labels"]
    rewrite(copy_of_model, labels={**labels, "sentiment": ["positive", "neutral", "negative"]})
    with pytest.raises(LabelMismatch, match="retrain"):
        verify(copy_of_model)


def test_a_path_out_of_the_directory_is_refused(copy_of_model):
    files = json.loads((copy_of_model / MANIFEST).read_text())["files"]
    rewrite(copy_of_model, files={**files, "../../etc/passwd": "0"})
    with pytest.raises(ModelFileError, match="outside itself"):
        verify(copy_of_model)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "seal": "x"}'])
def test_what_is_no_manifest_is_refused(copy_of_model, text):
    (copy_of_model / MANIFEST).write_text(text)
    with pytest.raises(ModelFileError):
        load_manifest(copy_of_model)


def test_weights_of_another_network_are_refused(copy_of_model):
    from safetensors.torch import load_file, save_file

    from model.data import digest

    state = load_file(copy_of_model / WEIGHTS)
    state.pop("sentiment.bias")
    save_file(state, copy_of_model / WEIGHTS)
    files = json.loads((copy_of_model / MANIFEST).read_text())["files"]
    rewrite(copy_of_model, files={**files, WEIGHTS: digest(copy_of_model / WEIGHTS)})
    with pytest.raises(ModelFileError, match=r"sentiment\.bias"):
        load_model(copy_of_model)


def test_a_folder_without_manifest_is_no_model(tmp_path):
    with pytest.raises(ModelFileError, match="not a model"):
        Classifier.load(tmp_path)


def test_a_base_that_is_not_installed_is_named():
    with pytest.raises(BaseModelError, match="pip install no-such-encoder"):
        find_base("no_such_encoder")
    assert find_base("intfloat/multilingual-e5-small") == ("hub", None)


def test_a_model_takes_no_place_of_other_things(tmp_path, monkeypatch, tiny_model, copy_of_model):
    """The folder is replaced as a whole: `--out models` would delete all models in it."""
    (tmp_path / "models" / "good").mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds other things than a model, .*: good; name another"):
        check_out(tmp_path / "models")
    (copy_of_model / "notes").write_text("mine")
    with pytest.raises(DataError, match=": notes; name another"):
        check_out(copy_of_model)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for name in (".", "..", str(tmp_path)):
        with pytest.raises(DataError, match="the folder you work in"):
            check_out(Path(name))
    (tmp_path / "new" / "work").mkdir(parents=True)
    for free in (tmp_path / "none" / "yet", tiny_model):
        check_out(free)
    check_out(tmp_path / "new", tmp_path / "new" / "work")


def test_a_link_leads_to_the_new_model(tmp_path, copy_of_model):
    manifest, state, side = load_state(copy_of_model)
    (tmp_path / "current").symlink_to(copy_of_model)
    saved = save_model(tmp_path / "current", state, dataclasses.replace(manifest, version="2"), side)
    assert (tmp_path / "current").is_symlink()
    assert load_manifest(copy_of_model).version == saved.version == "2"
