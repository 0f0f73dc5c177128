"""Scoring: every text gets its verdict, whatever the batch, and a bad one costs only itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model_rows import make_rows

from model.errors import DeviceFailed, DeviceLost, ModelError
from model.explain import mark, occlude, words_of
from model.hardware import is_out_of_memory
from model.inference import Classifier, CompanySpan, Failure, Mentioned, TextInput, Verdict, batches_under
from model.registry import load_manifest, write_manifest


@pytest.fixture(scope="module")
def classifier(tiny_model):
    return Classifier.load(tiny_model, "cpu", "fp32")


TEXTS = [str(r["text"]) for r in make_rows(40, seed=5)]


def flat(verdict):
    companies = [p for name in sorted(verdict.companies) for p in verdict.companies[name]]
    return np.array([*verdict.sentiment, *companies, *verdict.topics.values()])


def test_probabilities_sum_to_one_and_say_their_label(classifier):
    (verdict,) = classifier.predict([TextInput("acme sues borel", ["acme", "borel"])])
    for said in (verdict.sentiment, *verdict.companies.values()):
        assert sum(said) == pytest.approx(1, abs=1e-5)
        assert getattr(said, said.label) == max(said)
        assert said.score == pytest.approx(said.positive - said.negative)
    assert sum(verdict.topics.values()) == pytest.approx(1, abs=1e-5)
    assert verdict.main_topics()[0] == max(verdict.topics, key=verdict.topics.__getitem__)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_same_text_same_verdict_whatever_the_batch(tiny_model, dtype):
    classifier = Classifier.load(tiny_model, "cpu", dtype)
    inputs = [TextInput(t, [t.split()[0]]) for t in TEXTS] + ["acme " * 40]
    alone = [classifier.predict([i])[0] for i in inputs]
    together = classifier.predict(inputs)
    crowded = classifier.predict(inputs, batch_tokens=16)
    streamed = list(classifier.iter_predict(iter(reversed(inputs)), pool=7))[::-1]
    tolerance = 1e-5 if dtype == "fp32" else 0.01
    for others in (together, crowded, streamed):
        for a, b in zip(alone, others, strict=True):
            np.testing.assert_allclose(flat(a), flat(b), atol=tolerance)
            if dtype == "fp32":
                assert a.sentiment.label == b.sentiment.label


def test_a_broken_text_becomes_a_failure_in_its_place(classifier):
    answers = classifier.predict(["acme rises", "", "   ", None, 3, TextInput("x\ud800y"), "borel falls"])
    kinds = [type(a) for a in answers]
    assert kinds == [Verdict, Failure, Failure, Failure, Failure, Verdict, Verdict]
    assert answers[1].reason == "no text"
    assert flat(answers[0]) == pytest.approx(flat(classifier.predict(["acme rises"])[0]), abs=1e-5)


def test_a_batch_that_breaks_is_halved_down_to_the_text_that_breaks_it(classifier, monkeypatch):
    whole = classifier._encode
    poison = classifier._prepare("loses").ids

    def encode(ids, mask):
        if any(row[: len(poison)].tolist() == poison for row in ids):
            raise RuntimeError("kernel failed")
        return whole(ids, mask)

    monkeypatch.setattr(classifier, "_encode", encode)
    answers = classifier.predict([*TEXTS[:5], "loses", *TEXTS[5:10]])
    assert [i for i, a in enumerate(answers) if isinstance(a, Failure)] == [5]
    assert "kernel failed" in answers[5].reason


def test_out_of_memory_halves_the_budget_and_goes_on(tiny_model, monkeypatch):
    classifier = Classifier.load(tiny_model, "cpu", "fp32")
    whole, budget = classifier._encode, classifier.batch_tokens

    def encode(ids, mask):
        if ids.numel() > 100:
            raise torch.OutOfMemoryError("no room")
        return whole(ids, mask)

    monkeypatch.setattr(classifier, "_encode", encode)
    answers = classifier.predict(TEXTS)
    assert all(isinstance(a, Verdict) for a in answers)
    assert classifier.batch_tokens < budget


@pytest.mark.parametrize(("room", "left"), [(300, 200), (100, 100)])
def test_each_size_that_does_not_fit_halves_the_budget_once(tiny_model, monkeypatch, room, left):
    """Ten batches were cut under the first budget; all of them fail, and they say the same."""
    classifier = Classifier.load(tiny_model, "cpu", "fp32")
    whole, failed = classifier._encode, []

    def encode(ids, mask):
        if ids.numel() > room:
            failed.append(ids.numel())
            raise torch.OutOfMemoryError("no room")
        return whole(ids, mask)

    monkeypatch.setattr(classifier, "_encode", encode)
    classifier.batch_tokens = 400
    assert all(isinstance(a, Verdict) for a in classifier.predict(TEXTS * 10))
    assert len(failed) > 5
    assert classifier.batch_tokens == left
    failed.clear()
    classifier.predict(TEXTS * 10)
    assert not failed


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("no room"), RuntimeError("kernel failed\nat line 7")]
)
def test_a_device_that_never_works_blames_no_text(tiny_model, monkeypatch, error):
    classifier = Classifier.load(tiny_model, "cpu", "fp32")
    whole = classifier._encode

    def encode(ids, mask):
        raise error

    monkeypatch.setattr(classifier, "_encode", encode)
    for _ in range(2):
        with pytest.raises(DeviceFailed, match=str(error).splitlines()[0]):
            classifier.predict(TEXTS)
    monkeypatch.setattr(classifier, "_encode", whole)
    assert all(isinstance(a, Verdict) for a in classifier.predict(TEXTS))


def test_no_memory_for_one_text_is_not_the_fault_of_that_text(tiny_model, monkeypatch):
    """A training beside it took the memory: the short text that is known to be harmless may still fit."""
    classifier = Classifier.load(tiny_model, "cpu", "fp32")
    whole = classifier._encode

    def encode(ids, mask):
        if ids.shape[1] > 20:
            raise torch.OutOfMemoryError("no room")
        return whole(ids, mask)

    monkeypatch.setattr(classifier, "_encode", encode)
    with pytest.raises(DeviceFailed, match="no room"):
        classifier.predict(["acme rises", "acme rises " * 30])


def test_a_device_that_goes_down_on_a_batch_is_told_from_one_that_never_worked(tiny_model, monkeypatch):
    """Such as a CUDA assertion, after which the whole process gets nothing more from the device."""
    classifier = Classifier.load(tiny_model, "cpu", "fp32")
    whole, down = classifier._encode, []
    poison = classifier._prepare("loses").ids

    def encode(ids, mask):
        if down or any(row[: len(poison)].tolist() == poison for row in ids):
            down.append(1)
            raise RuntimeError("device-side assert")
        return whole(ids, mask)

    monkeypatch.setattr(classifier, "_encode", encode)
    with pytest.raises(DeviceLost, match="device-side assert"):
        classifier.predict([*TEXTS[:5], "loses"])


def test_no_room_for_what_a_cuda_library_needs_is_out_of_memory_too():
    assert is_out_of_memory(
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")
    )
    assert not is_out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


def test_no_number_is_a_failure(classifier, monkeypatch):
    monkeypatch.setattr(
        classifier,
        "_encode",
        lambda ids, mask: (torch.full((*ids.shape, 32), torch.nan), torch.full((len(ids), 32), torch.nan)),
    )
    assert isinstance(classifier.predict(["acme"])[0], Failure)


def test_companies_are_told_apart_by_name_span_or_several_spans(classifier):
    text = "acme sues borel while acme wins"
    forms = ["borel", CompanySpan("borel", 10, 15), Mentioned("borel", ((10, 15),))]
    answers = [classifier.predict([TextInput(text, [form])])[0].companies["borel"] for form in forms]
    assert answers[0] == answers[1] == answers[2]
    both = classifier.predict([TextInput(text, ["acme", "borel"])])[0]
    assert both.companies["acme"] != both.companies["borel"]
    assert both.sentiment == pytest.approx(classifier.predict([text])[0].sentiment, abs=1e-6)


def test_a_company_that_is_nowhere_is_judged_as_the_story(classifier):
    verdict = classifier.predict([TextInput("acme rises", ["nobody"])])[0]
    assert verdict.companies["nobody"] == verdict.sentiment


def test_texts_of_any_length_are_cut_to_the_limit(classifier):
    assert isinstance(classifier.predict(["acme rises " * 5000])[0], Verdict)


def test_batches_stay_under_the_budget_longest_first():
    lengths = dict(enumerate([3, 9, 4, 50, 1, 9]))
    runs = list(batches_under(lengths, 20))
    assert runs[0] == [3]
    assert sorted(i for run in runs for i in run) == list(range(6))
    assert all(len(run) == 1 or max(lengths[i] for i in run) * len(run) <= 20 for run in runs)


def test_vectors_are_unit_length_and_in_order(classifier):
    vectors = classifier.embed([TEXTS[0], "", TEXTS[1], TEXTS[0]])
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1, 1], abs=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[3], atol=1e-5)


def test_explaining_gives_each_words_share_with_its_place(classifier):
    text = "acme rises 3.5% after borel falls"
    parts = classifier.explain(text, "acme")
    assert [p.token for p in parts] == ["rises", "3.5", "%", "after", "borel", "falls"]
    assert all(text[p.start : p.end] == p.token for p in parts)
    assert len(classifier.explain(text)) == 7
    with pytest.raises(ModelError, match="does not stand"):
        classifier.explain(text, "nobody")


def test_explaining_a_long_text_asks_about_the_words_that_are_read(classifier):
    """It judged the text once for each of its words: a copied report took hours, and gigabytes."""
    begin = "acme rises sales in its record quarter as strong shares rise and debt falls down for borel "
    long = classifier.explain(begin + "profit loss " * 800, "acme")
    assert [p.token for p in long[:15]] == begin.split()[1:16]
    assert len(long) == 61  # with the company's own, [CLS] and [SEP] the 64 tokens that the encoder reads


def test_explaining_asks_about_every_name_of_a_company_as_its_verdict_did(classifier, monkeypatch):
    text = "acme rises after borel falls"  # both are names of one company
    company = Mentioned("acme group", ((0, 4), (17, 22)))
    asked = []
    predict = classifier.predict
    monkeypatch.setattr(classifier, "predict", lambda inputs: asked.append(predict(inputs)) or asked[-1])
    parts = classifier.explain(text, company)
    monkeypatch.undo()
    assert [p.token for p in parts] == ["rises", "after", "falls"]
    (verdict,) = classifier.predict([TextInput(text, [company])])
    base = asked[0][0].companies["acme group"]
    assert base.score == pytest.approx(verdict.companies["acme group"].score, abs=1e-5)
    with pytest.raises(ModelError, match="does not stand"):
        classifier.explain(text, Mentioned("acme group", ()))


def test_words_without_spaces_are_characters_and_marks_show_the_pull():
    assert [w.token for w in words_of("腾讯 up")] == ["腾", "讯", "up"]
    assert occlude("aa bb cc", words_of("aa bb cc")[0], "[MASK]", ((3, 5),)) == ("[MASK] bb cc", ((7, 9),))
    assert mark("profit falls", [("falls", 7, 12, -0.4), ("profit", 0, 6, 0.01)]) == "profit [-falls]"


def test_an_adapted_but_untrained_model_may_not_score(copy_of_model):
    import dataclasses

    manifest = load_manifest(copy_of_model)
    write_manifest(copy_of_model, dataclasses.replace(manifest, settings={"stage": "adapted"}))
    with pytest.raises(ModelError, match="finetune"):
        Classifier.load(copy_of_model)


@pytest.mark.parametrize(("device", "dtype"), [("cuda:7", "auto"), ("cpu", "int3")])
def test_devices_and_formats_that_are_not_there_are_named(tiny_model, device, dtype):
    if device.startswith("cuda") and torch.cuda.device_count() > 7:
        pytest.skip("this machine has eight GPUs")
    with pytest.raises((ModelError, RuntimeError)):
        Classifier.load(tiny_model, device, dtype)
