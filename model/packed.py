"""BERT's encoder for CPUs that multiply bf16 fast: the same numbers as transformers' own, with less work around them.

What it saves, measured by bench/score.py and told in model/LOG.md: weights are laid out once as oneDNN wants them; no
padding is computed, because texts of one length lie together and only attention needs to know where a text ends; query,
key and value are one product; GELU is done while the product is still in the cache. Products are in bf16; attention,
sums and norms stay in fp32, so verdicts are nearer to fp32 than when all is bf16; weights are stored in bf16 (`model/finetune.py`),
so none is rounded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.hardware import cpu_has_bf16

#: Rows that oneDNN lays the weights out for; other numbers of rows work too (256 to 2,048 within a tenth).
_ROWS: Final = 1024
#: Tokens per forward pass. Two cores with 2 MB of L2 each and AMX: 1,024 and 4,096 take 5 to 10 % longer, 8,192 14 %.
#: With 1 MB of L2 and no AMX 4,096 was 3 % faster. Rerun bench/score.py after a change.
PACKED_TOKENS: Final = 2048


def rows_for(tokens: int) -> int:
    """The rows to compute for `tokens`: one of few numbers, at most a sixteenth (or 7) more.

    oneDNN and torch keep what they prepared for each number of rows that they met: with numbers that seldom repeat a
    process grew from 0.7 to 1.8 GB over 100,000 texts. Up to 2,048 tokens these are 80 numbers, for 1.7 % more work.
    """
    step = max(8, 1 << max(0, tokens.bit_length() - 5))
    return -(-tokens // step) * step


@dataclass(frozen=True)
class Encoded:
    """What transformers' encoders answer, as far as it is used."""

    last_hidden_state: Tensor


def packs(encoder: nn.Module, device: torch.device, dtype: torch.dtype) -> bool:
    """True where this engine can stand in for `encoder`: a plain BERT in bf16 on a CPU that multiplies it fast."""
    config: Any = encoder.config
    plain = config.model_type == "bert" and config.hidden_act == "gelu" and not config.is_decoder
    learned = getattr(config, "position_embedding_type", None) in (None, "absolute")
    here = device.type == "cpu" and dtype == torch.bfloat16 and cpu_has_bf16()
    return bool(plain and learned and here and hasattr(torch.ops.mkldnn, "_reorder_linear_weight"))


class _Linear:
    """A dense layer whose weight oneDNN has laid out once."""

    def __init__(self, weight: Tensor, bias: Tensor, after: str = "none") -> None:
        plain = weight.detach().to(torch.bfloat16).contiguous()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(plain, _ROWS)
        self.bias, self.after = bias.detach().to(torch.bfloat16), after

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            x.to(torch.bfloat16), self.weight, self.bias, self.after, [], "none"
        )
        return out


class _Norm:
    """Layer norm of a sum, in fp32."""

    def __init__(self, norm: Any) -> None:
        self.weight, self.bias, self.eps = norm.weight.detach().float(), norm.bias.detach().float(), norm.eps

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class _Layer:
    def __init__(self, layer: Any, heads: int) -> None:
        own = layer.attention.self
        self.heads = heads
        self.scale = (own.query.out_features // heads) ** -0.5
        self.qkv = _Linear(
            torch.cat([own.query.weight, own.key.weight, own.value.weight]),
            torch.cat([own.query.bias, own.key.bias, own.value.bias]),
        )
        self.out, self.norm = _dense(layer.attention.output), _Norm(layer.attention.output.LayerNorm)
        self.up = _Linear(layer.intermediate.dense.weight, layer.intermediate.dense.bias, "gelu")
        self.down, self.last = _dense(layer.output), _Norm(layer.output.LayerNorm)

    def __call__(self, hidden: Tensor, runs: Sequence[tuple[int, int]]) -> Tensor:
        """hidden (tokens, H) fp32 of texts that follow each other in `runs` of (texts, tokens each)."""
        hidden = self.norm(self.out(self.attend(self.qkv(hidden), runs)).add(hidden))
        return self.last(self.down(self.up(hidden)).add(hidden))

    def attend(self, qkv: Tensor, runs: Sequence[tuple[int, int]]) -> Tensor:
        """Each text attends to itself: one batched product per length, in fp32, -> (tokens, H) bf16.

        torch's fused kernel is slow for short texts, and so is its softmax where a row has no 16 numbers: what it does
        is written out here, and divided by its sum only after the second product, which is shorter.
        """
        out = qkv.new_empty(qkv.shape[0], qkv.shape[1] // 3)
        at = 0
        for texts, tokens in runs:
            rows = slice(at, at := at + texts * tokens)
            parts = qkv[rows].view(texts, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            # one pass that both reorders and widens; `.float().reshape()` makes two
            query, key, value = torch.empty(parts.shape).copy_(parts).view(3, texts * self.heads, tokens, -1)
            weights = torch.bmm(query.mul_(self.scale), key.transpose(1, 2))
            weights = weights.sub_(weights.amax(-1, keepdim=True)).exp_()
            read = torch.bmm(weights, value).view(texts, self.heads, tokens, -1)
            sums = weights.sum(-1).view(texts, self.heads, tokens, 1)
            torch.div(
                read.transpose(1, 2), sums.transpose(1, 2), out=out[rows].view(texts, tokens, self.heads, -1)
            )
        out[at:] = 0
        return out


def _dense(block: Any) -> _Linear:
    return _Linear(block.dense.weight, block.dense.bias)


class PackedBert:
    """Called like a BertModel; takes its weights in fp32 when it is made. Texts are padded on the right."""

    def __init__(self, encoder: Any) -> None:
        heads = encoder.config.num_attention_heads
        self.layers = [_Layer(layer, heads) for layer in encoder.encoder.layer]
        table = encoder.embeddings
        self.words = table.word_embeddings.weight.detach()
        self.places = (table.position_embeddings.weight + table.token_type_embeddings.weight[0]).detach()
        self.norm = _Norm(table.LayerNorm)

    def __call__(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Encoded:
        """input_ids (B,T), attention_mask (B,T) of 0/1 or None -> last_hidden_state (B,T,H) fp32, 0 where padded."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        lengths, order = mask.sum(-1).sort(stable=True)
        ids, real = input_ids[order], mask[order].bool()
        places = torch.arange(ids.shape[1]).expand_as(ids)[real]
        hidden = self.norm(F.embedding(ids[real], self.words) + F.embedding(places, self.places))
        tokens = len(hidden)
        hidden = F.pad(hidden, (0, 0, 0, rows_for(tokens) - tokens))
        runs = [
            (texts, tokens) for tokens, texts in enumerate(lengths.bincount().tolist()) if texts and tokens
        ]
        for layer in self.layers:
            hidden = layer(hidden, runs)
        padded = hidden.new_zeros(*ids.shape, hidden.shape[1])
        padded[real] = hidden[:tokens]
        return Encoded(padded[order.argsort()])
