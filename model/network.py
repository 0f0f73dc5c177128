"""One encoder, three heads: what the story says, what it says for each company in it, and what it is about.

Shapes: B texts, T tokens, K companies per text at most, H the encoder's width. Companies are read in the same
forward pass: each asks the text with the mean of its own tokens (one attention layer), so a story costs one pass
however many companies it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.labels import SENTIMENTS, TOPICS
from model.wide import Wide

#: What each head's loss counts for in the sum.
HEAD_WEIGHTS: Final = {"sentiment": 1.0, "company": 1.0, "topics": 0.7}


@dataclass(frozen=True)
class LossSettings:
    """How wrong answers are weighed. `class_weights` are per head and class, mean 1; `smoothing` is spread evenly."""

    smoothing: float = 0.05
    class_weights: dict[str, list[float]] | None = None


class CompanyHead(nn.Module):
    """Sentiment for each mention: its tokens' mean attends to the whole text, then a small perceptron decides."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.mix = nn.Linear(3 * width, width)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, len(SENTIMENTS))

    def forward(self, hidden: Tensor, mask: Tensor, pooled: Tensor, mentions: Tensor) -> Tensor:
        """hidden (B,T,H), mask (B,T), pooled (B,H), mentions (B,K,T) of 0/1 -> logits (B,K,3)."""
        own = average(hidden, mentions)
        b, k, h = own.shape

        def split(x: Tensor) -> Tensor:
            return x.view(b, -1, self.heads, h // self.heads).transpose(1, 2)

        key, value = self.key_value(hidden).chunk(2, dim=-1)
        read = F.scaled_dot_product_attention(
            split(self.query(own)), split(key), split(value), attn_mask=mask.bool()[:, None, None, :]
        )
        read = read.transpose(1, 2).reshape(b, k, h)
        joint = torch.cat([own, read, pooled[:, None].expand(-1, k, -1)], dim=-1)
        logits: Tensor = self.out(self.dropout(torch.tanh(self.mix(self.dropout(joint)))))
        return logits


class Network(nn.Module):
    """Any BERT-like encoder with the three heads. Missing labels are masked: a target of zeros counts nothing.

    `wide` adds its logits to those of the story's heads; it is set once the network is trained, or never.
    """

    def __init__(self, encoder: nn.Module, loss: LossSettings | None = None) -> None:
        super().__init__()
        config: Any = encoder.config
        width, heads = int(config.hidden_size), int(config.num_attention_heads)
        dropout = float(getattr(config, "hidden_dropout_prob", 0.1) or 0.0)
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.sentiment = nn.Linear(width, len(SENTIMENTS))
        self.company = CompanyHead(width, heads, dropout)
        self.topics = nn.Linear(width, len(TOPICS))
        self.loss = loss or LossSettings()
        self.wide: Wide | None = None

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Token vectors (B,T,H) and their mean over real tokens (B,H)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden, average(hidden, attention_mask[:, None])[:, 0]

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        mentions: Tensor | None = None,
        sentiment_target: Tensor | None = None,
        company_target: Tensor | None = None,
        topics_target: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Logits of each head, the pooled vector, and `loss` where targets are given.

        mentions (B,K,T) of 0/1; targets are distributions: sentiment (B,3), company (B,K,3), topics (B,20).
        """
        hidden, pooled = self.encode(input_ids, attention_mask)
        out = self.story(self.dropout(pooled), input_ids, attention_mask)
        if mentions is not None and mentions.shape[1]:
            out["company"] = self.company(hidden, attention_mask, pooled, mentions)
        targets = {"sentiment": sentiment_target, "company": company_target, "topics": topics_target}
        if any(t is not None for t in targets.values()):
            out["loss"] = self.total_loss(out, targets)
        out["pooled"] = pooled
        return out

    def story(self, pooled: Tensor, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """Logits of the story's sentiment (B,3) and topics (B,20), the wide part's included where there is one."""
        out = {"sentiment": self.sentiment(pooled), "topics": self.topics(pooled)}
        if self.wide is None:
            return out
        wide = self.wide(input_ids, attention_mask)
        return {head: logits + wide[head] for head, logits in out.items()}

    def total_loss(self, out: dict[str, Tensor], targets: dict[str, Tensor | None]) -> Tensor:
        """Sum over heads of weight x mean over the batch's texts, so a rarely labelled head does not shout."""
        texts = out["sentiment"].shape[0]
        total = out["sentiment"].new_zeros(())
        for head, target in targets.items():
            if target is None or head not in out:
                continue
            weights = (self.loss.class_weights or {}).get(head)
            losses = soft_cross_entropy(out[head], target, self.loss.smoothing, weights)
            total = total + HEAD_WEIGHTS[head] * losses.sum() / texts
        return total


def average(hidden: Tensor, masks: Tensor) -> Tensor:
    """Means of token vectors: hidden (B,T,H), masks (B,K,T) of 0/1 -> (B,K,H); zeros for an empty mask."""
    masks = masks.to(hidden.dtype)
    return (masks @ hidden) / masks.sum(-1, keepdim=True).clamp(min=1)


def soft_cross_entropy(
    logits: Tensor, target: Tensor, smoothing: float, weights: list[float] | None
) -> Tensor:
    """Cross-entropy against distributions (..., C); rows of zeros cost nothing. Returns one number per row."""
    known = target.sum(-1) > 0
    classes = target.shape[-1]
    smooth = target * (1 - smoothing) + smoothing / classes
    if weights is not None:
        scale = target @ torch.tensor(weights, dtype=target.dtype, device=target.device)
        smooth = smooth * scale[..., None]
    return -(smooth * F.log_softmax(logits.float(), dim=-1)).sum(-1) * known
