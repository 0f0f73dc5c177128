"""The wide part: hashes depend on tokens alone, fitting learns words and not names, stored tables give the same logits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from model_rows import make_rows, write_rows
from sklearn.linear_model import LogisticRegression

from model.batches import Collator, score_examples
from model.data import Source
from model.encoders import load_model
from model.example import CompanyLabel, Example
from model.finetune import finetune, start_network, widened
from model.inference import Classifier
from model.metrics import calibrated
from model.registry import load_state
from model.wide import ROWS, RUN, Tokens, Wide, fit_wide, runs

AT = "2026-01-31T00:00:00+00:00"


def look_up(wide: Wide, *ids: int) -> dict[str, list[float]]:
    out = wide(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long))
    return {head: logits[0].tolist() for head, logits in out.items()}


def learn(texts: list[list[int]], labels: list[int], prior: Wide | None = None, hidden: int = 0) -> Wide:
    """Fitted to the sentiment of texts of token ids; `hidden` is a token that must say nothing."""
    tokens = [Tokens(ids, [int(i != hidden) for i in ids]) for ids in texts]
    targets = {"sentiment": np.eye(3)[labels], "topics": np.zeros((len(texts), 20))}
    return fit_wide(tokens, targets, np.ones(len(texts)), share=1.0, prior=prior)


def test_each_run_has_its_own_hash_wherever_it_stands():
    ids = torch.tensor([[7, 8, 9, 7, 8]])
    hashes, real = runs(ids, torch.ones_like(ids))
    assert hashes.shape == (1, 5 + 4 + 3)
    assert bool(real.all())
    one, two = hashes[0, :5].tolist(), hashes[0, 5:9].tolist()
    assert one[:2] == one[3:]
    assert two[0] == two[3]
    assert len(set(hashes[0].tolist())) == 12 - 3  # 7, 8 and (7, 8) stand twice
    assert runs(torch.tensor([[8, 7]]), torch.ones(1, 2))[0][0, 2] not in two


def test_logits_are_the_sum_of_the_rows_over_the_root_of_their_number():
    wide = Wide({head: torch.ones(rows, 2) for head, rows in ROWS.items()}, share=0.5)
    said = look_up(wide, 11, 12, 13, 14, 15)  # five tokens have four pairs and three runs of three
    assert said["sentiment"] == pytest.approx([0.5 * 7**0.5] * 2)
    assert said["topics"] == pytest.approx([0.5 * 12**0.5] * 2)


def test_fitting_is_the_ridge_logistic_regression_of_scikit_learn():
    rng = np.random.default_rng(5)
    texts = rng.integers(1, 9, (60, 4))
    labels = np.where(rng.random(60) < 0.7, texts[:, 0] % 3, rng.integers(0, 3, 60))
    ours = learn(texts.tolist(), labels.tolist())
    hashes, _ = runs(torch.from_numpy(texts), torch.ones(60, 4))
    rows = (hashes[:, 4:] % ROWS["sentiment"]).numpy()  # four words stand before the pairs and threes
    features = np.stack([np.bincount(row, minlength=ROWS["sentiment"]) for row in rows]) / 5**0.5
    seen = np.flatnonzero(features.any(0))
    theirs = LogisticRegression(C=20.0, fit_intercept=False, max_iter=1000).fit(features[:, seen], labels)
    weights = ours.table("sentiment").numpy()[seen]
    assert weights - weights.mean(1, keepdims=True) == pytest.approx(theirs.coef_.T, abs=0.1)


def test_hashes_spread_over_the_rows():
    ids = torch.arange(30_000)[None]
    hashes, _ = runs(ids, torch.ones_like(ids))
    rows = (hashes[0, :30_000] % ROWS["topics"]).bincount(minlength=ROWS["topics"])
    filled = float((rows > 0).double().mean())
    assert filled == pytest.approx(1 - np.exp(-30_000 / ROWS["topics"]), abs=0.01)  # as chance would


@pytest.mark.parametrize("length", [1, 2, RUN])
def test_a_run_with_a_token_outside_the_mask_is_not_read(length):
    ids, mask = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[1, 0, 1, 1]])
    _, real = runs(ids, mask)
    starts = sum(4 - n + 1 for n in range(1, length))
    of_length = real[0, starts : starts + 4 - length + 1].tolist()
    assert of_length == [int(all(mask[0, i : i + length])) for i in range(4 - length + 1)]


def test_padding_changes_no_bit():
    wide = learn([[2, 5, 3], [2, 6, 3]] * 5, [0, 2] * 5)
    alone = wide(torch.tensor([[2, 5, 3]]), torch.ones(1, 3, dtype=torch.long))
    ids, mask = torch.tensor([[2, 5, 3, 0, 0, 0], [2, 6, 6, 6, 6, 3]]), torch.ones(2, 6, dtype=torch.long)
    mask[0, 3:] = 0
    for head, logits in wide(ids, mask).items():
        assert torch.equal(logits[:1], alone[head])


def test_an_empty_text_says_nothing():
    wide = learn([[2, 5, 3], [2, 6, 3]], [0, 2])
    assert wide(torch.zeros(1, 4, dtype=torch.long), torch.zeros(1, 4, dtype=torch.long))[
        "sentiment"
    ].tolist() == [[0.0, 0.0, 0.0]]


def test_words_are_learnt_and_pairs_of_words():
    # 5 and 6 are bad together and good apart
    texts = [[2, 5, 6, 3], [2, 5, 9, 3], [2, 9, 6, 3], [2, 6, 5, 3]] * 5
    wide = learn(texts, [0, 2, 2, 2] * 5)
    for ids, label in zip(texts[:4], [0, 2, 2, 2], strict=True):
        assert int(np.argmax(look_up(wide, *ids)["sentiment"])) == label
    assert look_up(wide, 2, 5, 6, 3)["topics"] == [0.0] * 20


def test_what_is_hidden_is_not_learnt():
    texts, labels = [[2, 5, 3], [2, 6, 3]] * 5, [0, 2] * 5
    assert np.ptp(look_up(learn(texts, labels), 2, 5)["sentiment"]) > 1
    assert look_up(learn(texts, labels, hidden=5), 2, 5)["sentiment"] == [0.0, 0.0, 0.0]


def test_a_single_word_decides_a_topic_but_no_sentiment():
    wide = learn([[5], [6]] * 10, [0, 2] * 10)
    assert look_up(wide, 5)["sentiment"] == [0.0, 0.0, 0.0]
    topics = np.zeros((20, 20))
    topics[:, 4] = 1
    tokens = [Tokens([5], [1])] * 20
    about = fit_wide(tokens, {"sentiment": np.zeros((20, 3)), "topics": topics}, np.ones(20), share=1.0)
    assert int(np.argmax(look_up(about, 5)["topics"])) == 4


def test_a_prior_keeps_what_the_new_texts_do_not_speak_of():
    first = learn([[5, 1], [6, 1]] * 10, [0, 2] * 10)
    second = learn([[7, 1], [8, 1]] * 10, [0, 2] * 10, prior=first)
    assert look_up(second, 5, 1)["sentiment"] == pytest.approx(look_up(first, 5, 1)["sentiment"], abs=0.05)
    assert int(np.argmax(look_up(second, 8, 1)["sentiment"])) == 2
    # and what they contradict moves
    third = learn([[5, 1]] * 40, [2] * 40, prior=first)
    assert int(np.argmax(look_up(third, 5, 1)["sentiment"])) == 2


def test_eight_bits_hold_the_weights():
    table = torch.randn(64, 3)
    wide = Wide({"sentiment": table, "topics": torch.zeros(64, 20)}, 0.5)
    assert wide.sentiment.dtype == torch.int8
    assert float((wide.table("sentiment") - table).abs().max()) <= float(table.abs().max()) / 127 / 2 + 1e-6


def test_a_trained_model_carries_it_and_loads_it_as_it_was(tiny_model):
    _, state, _ = load_state(tiny_model)
    assert {k for k in state if k.startswith("wide.")} == {
        "wide.share",
        *(f"wide.{head}{end}" for head in ROWS for end in ("", "_scale")),
    }
    network = load_model(tiny_model).network
    assert network.wide is not None
    assert torch.equal(network.wide.sentiment, state["wide.sentiment"])
    assert float(network.wide.share) == pytest.approx(0.4, abs=1e-3)
    assert float(network.wide.table("sentiment").abs().max()) > 0.1


def test_both_doors_give_the_same_answer(tiny_model):
    """The network as training judges it, and the classifier as it scores news."""
    loaded = load_model(tiny_model)
    text = "acme corp rises strong sales 5 (4)"
    out = score_examples(
        loaded.network,
        Collator(loaded.tokenizer, compare=loaded.compares),
        [Example(text)],
        torch.device("cpu"),
    )
    classifier = Classifier.load(tiny_model, "cpu", "fp32")
    with_wide = classifier.predict([text])[0].sentiment
    manifest = classifier.manifest
    settings = manifest.temperatures["sentiment"], manifest.smoothings["sentiment"]
    expected = calibrated(out.sentiment.double().numpy(), *settings)[0]
    assert list(with_wide) == pytest.approx(expected.tolist(), abs=1e-4)
    classifier.network.wide = None
    assert classifier.predict([text])[0].sentiment != with_wide


def test_without_a_share_there_is_none_and_a_model_without_stays_without(tiny_config, tiny_source, tmp_path):
    config = dataclasses.replace(tiny_config, epochs=1, wide_share=0.0)
    finetune(config, [tiny_source], tmp_path / "plain", created_at=AT, device="cpu", command="test")
    assert load_model(tmp_path / "plain").network.wide is None
    further = dataclasses.replace(config, start=str(tmp_path / "plain"), wide_share=0.5)
    finetune(further, [tiny_source], tmp_path / "on", created_at=AT, device="cpu", command="test")
    assert load_model(tmp_path / "on").network.wide is None


def test_going_on_moves_the_tables_on(tiny_model, tiny_config, tmp_path):
    """A retraining on a word of its own learns the word and keeps what it knew."""
    rows = [row | {"text": f"{row['text']} quarter"} for row in make_rows(60, seed=3)]
    source = Source("new", write_rows(tmp_path / "new.jsonl", rows), "MIT", "made by the test")
    config = dataclasses.replace(tiny_config, start=str(tiny_model), epochs=1)
    assert start_network(config, []).network.wide is None  # the network learns alone
    finetune(config, [source], tmp_path / "next", created_at=AT, device="cpu", command="test")
    before, after = load_model(tiny_model).network.wide, load_model(tmp_path / "next").network.wide
    assert before is not None
    assert after is not None
    old, new = before.table("sentiment"), after.table("sentiment")
    assert not torch.allclose(old, new, atol=0.05)
    assert float(torch.corrcoef(torch.stack([old.flatten(), new.flatten()]))[0, 1]) > 0.7


def test_names_of_companies_are_not_learnt(tiny_config, tiny_source):
    company = (CompanyLabel("acme", ((0, 4),), "negative"),)
    bad = [Example("acme the quarter", "negative", company)] * 10
    good = [Example("borel the quarter", "positive")] * 10
    loaded = start_network(tiny_config, bad)
    wide = widened(tiny_config, loaded, [*bad, *good])
    assert wide is not None
    the = loaded.tokenizer.convert_tokens_to_ids("the")
    ids = {name: loaded.tokenizer.convert_tokens_to_ids(name) for name in ("acme", "borel")}
    assert look_up(wide, ids["acme"], the)["sentiment"] == [0.0, 0.0, 0.0]
    assert look_up(wide, ids["borel"], the)["sentiment"][2] > 0
