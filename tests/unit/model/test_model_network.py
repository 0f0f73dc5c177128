"""The network: masked losses, one pass for all companies, any encoder."""

from __future__ import annotations

import pytest
import torch

from model.encoders import load_base
from model.network import LossSettings, average, soft_cross_entropy


@pytest.fixture
def network(tiny_base):
    torch.manual_seed(0)
    return load_base(str(tiny_base), LossSettings(smoothing=0.0)).network.eval()


def inputs(rows=2, tokens=6):
    ids = torch.arange(5, 5 + rows * tokens).view(rows, tokens)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def test_a_missing_label_costs_nothing_and_moves_nothing(network):
    target = torch.tensor([[0.0, 0, 1], [0, 0, 0]])
    both = network(**inputs(), sentiment_target=target)["loss"]
    alone = network(**{k: v[:1] for k, v in inputs().items()}, sentiment_target=target[:1])["loss"]
    assert 2 * both.item() == pytest.approx(alone.item())
    network.train()
    network(**inputs(), sentiment_target=target)["loss"].backward()
    assert network.topics.weight.grad is None
    assert network.company.out.weight.grad is None


def test_padding_does_not_change_an_answer(network):
    short = inputs(1, 4)
    padded = {
        "input_ids": torch.nn.functional.pad(short["input_ids"], (0, 5)),
        "attention_mask": torch.nn.functional.pad(short["attention_mask"], (0, 5)),
    }
    mentions = torch.zeros(1, 1, 4)
    mentions[0, 0, 1] = 1
    a = network(**short, mentions=mentions)
    b = network(**padded, mentions=torch.nn.functional.pad(mentions, (0, 5)))
    for head in ("sentiment", "topics", "company"):
        torch.testing.assert_close(a[head], b[head])


def test_two_companies_of_a_text_get_their_own_answers(network):
    mentions = torch.zeros(1, 2, 6)
    mentions[0, 0, 1] = mentions[0, 1, 4] = 1
    out = network(**inputs(1), mentions=mentions)["company"]
    assert out.shape == (1, 2, 3)
    assert not torch.allclose(out[0, 0], out[0, 1])


def test_an_empty_mask_averages_to_zeros():
    assert average(torch.ones(1, 3, 2), torch.zeros(1, 1, 3)).tolist() == [[[0, 0]]]


def test_the_loss_is_cross_entropy_with_smoothing_and_weights():
    logits, truth = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    ours = soft_cross_entropy(logits, torch.eye(3)[truth], 0.1, None)
    theirs = torch.nn.functional.cross_entropy(logits, truth, label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(ours, theirs)
    weighed = soft_cross_entropy(logits, torch.eye(3)[truth], 0.0, [2.0, 1.0, 0.5])
    plain = torch.nn.functional.cross_entropy(logits, truth, reduction="none")
    torch.testing.assert_close(weighed, plain * torch.tensor([2.0, 1.0, 0.5])[truth])
