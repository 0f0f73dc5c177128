"""The packed encoder says what transformers' own encoder says."""

from __future__ import annotations

import pytest
import torch

from model.encoders import load_model
from model.inference import Classifier
from model.packed import PackedBert, packs

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
