"""The packed encoder says what transformers' own encoder says."""

from __future__ import annotations

import pytest
import torch

from model.encoders import load_model
from model.inference import Classifier
from model.packed import PACKED_TOKENS, PackedBert, packs, rows_for

fast_bf16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN multiplies no bf16 on this processor"
)


@fast_bf16
def test_it_answers_as_the_encoder_does_whatever_the_order_and_the_padding(tiny_model):
    encoder = load_model(tiny_model).network.encoder.eval()
    ids = torch.randint(5, encoder.config.vocab_size, (7, 19), generator=torch.Generator().manual_seed(3))
    lengths = torch.tensor([4, 19, 1, 4, 11, 19, 7])
    mask = (torch.arange(19) < lengths[:, None]).long()
    with torch.inference_mode():
        expected = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        packed = PackedBert(encoder)
        got = packed(ids, mask).last_hidden_state
        whole = packed(ids[1:2], None).last_hidden_state
    real = mask.bool()
    torch.testing.assert_close(got[real], expected[real], atol=0.05, rtol=0)
    assert (got[real] - expected[real]).abs().mean() < 0.01
    assert not got[~real].any()
    torch.testing.assert_close(whole[0], got[1], atol=0.02, rtol=0)


def test_other_encoders_devices_and_formats_are_left_to_torch(tiny_model):
    encoder = load_model(tiny_model).network.encoder
    cpu = torch.device("cpu")
    assert not packs(encoder, cpu, torch.float32)
    assert not packs(encoder, torch.device("cuda"), torch.bfloat16)
    encoder.config.hidden_act = "relu"
    assert not packs(encoder, cpu, torch.bfloat16)


@fast_bf16
def test_the_classifier_uses_it_where_it_may(tiny_model):
    classifier = Classifier.load(tiny_model, "cpu", "bf16")
    assert isinstance(classifier._encoder, PackedBert) == packs(
        classifier.network.encoder, classifier.device, classifier.dtype
    )


def test_rows_are_of_few_numbers_and_little_more_than_asked():
    rows = {tokens: rows_for(tokens) for tokens in range(1, PACKED_TOKENS + 1)}
    assert all(0 <= got - tokens <= max(7, tokens / 16) for tokens, got in rows.items())
    assert len(set(rows.values())) <= 96
    assert sum(rows.values()) < 1.03 * sum(rows)


@fast_bf16
def test_attention_is_what_a_softmax_says_also_where_it_overflows(tiny_model):
    layer = PackedBert(load_model(tiny_model).network.encoder).layers[0]
    width = layer.norm.weight.shape[0]
    qkv = (30 * torch.randn(3 * 5 + 2, 3 * width, generator=torch.Generator().manual_seed(1))).bfloat16()
    parts = qkv[:15].float().view(3, 5, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)
    expected = torch.nn.functional.scaled_dot_product_attention(*parts).transpose(1, 2)
    got = layer.attend(qkv, [(3, 5)])
    torch.testing.assert_close(got[:15].float(), expected.reshape(15, width), atol=1e-3, rtol=0.01)
    assert not got[15:].any()  # rows that belong to no text
