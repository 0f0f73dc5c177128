"""Examples to tensors and back: tokens, mention masks, targets, the order of an epoch.

Pure: the same examples, seed and epoch give the same batches.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch.utils.data import Sampler

from model.example import Example
from model.figures import compare_figures
from model.labels import SENTIMENTS, TOPICS

#: Batches sorted by length are drawn from pools of this many batches: long enough to save most padding, short
#: enough that a batch still mixes sources. Rerun one epoch of the starter after a change (padding share is logged).
POOL = 50


#: How headlines put two pieces of news side by side.
JOINTS: Final = ("; ", ", ", " while ", ". ", " as ", " - ", " and ", "; ")


class Tokenizer(Protocol):
    """What is used of a fast Hugging Face tokenizer."""

    def __call__(self, text: Any, **kwargs: Any) -> Any: ...


def mention_mask(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[int]:
    """1 for each token that touches one of the character spans; offsets (0, 0) are special tokens."""
    return [int(end > start and any(start < b and end > a for a, b in spans)) for start, end in offsets]


@dataclass(frozen=True)
class Collator:
    """Examples -> model inputs.

    With `swap` > 0 company names are traded at random, so that a name says nothing. With `join` > 0 a text with
    companies is at times followed by another of `partners`, so that each company learns to look at its own news.
    `teacher_share` is what a teacher's opinion counts for where there is a label, too. `compare` says comparisons of
    figures in words (model/figures.py).
    """

    tokenizer: Tokenizer
    max_tokens: int = 128
    swap: float = 0.0
    join: float = 0.0
    partners: tuple[Example, ...] = ()
    names: tuple[str, ...] = ()
    teacher_share: float = 0.0
    compare: bool = False

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        if self.join and self.partners:
            examples = [self._maybe_joined(e) for e in examples]
        if self.swap:
            examples = [swap_names(e, self.names, self.swap) for e in examples]
        if self.compare:
            examples = [with_comparisons(e) for e in examples]
        encoded = self.tokenizer(
            [e.text for e in examples],
            truncation=True,
            max_length=self.max_tokens,
            padding=True,
            return_offsets_mapping=True,
            return_token_type_ids=False,
            return_tensors="pt",
        )
        offsets = encoded.pop("offset_mapping").tolist()
        batch: dict[str, Tensor] = {
            "input_ids": encoded["input_ids"],
            "attention_mask": encoded["attention_mask"],
        }
        batch["mentions"] = mention_tensor(offsets, [[c.spans for c in e.companies] for e in examples])
        return batch | targets(examples, batch["mentions"], self.teacher_share)

    def _maybe_joined(self, example: Example) -> Example:
        if not example.companies or random.random() >= self.join:
            return example
        return join_examples(example, random.choice(self.partners), random.choice(JOINTS))


def mention_tensor(offsets: Sequence[Any], spans: Sequence[Sequence[Any]]) -> Tensor:
    """Masks (B,K,T) of each text's companies; rows of zeros where a text has fewer than K."""
    k = max((len(s) for s in spans), default=0)
    out = torch.zeros(len(spans), k, len(offsets[0]) if len(offsets) else 0)
    for b, companies in enumerate(spans):
        for i, company in enumerate(companies):
            out[b, i] = torch.tensor(mention_mask(offsets[b], company), dtype=out.dtype)
    return out


def targets(examples: Sequence[Example], mentions: Tensor, teacher_share: float = 0.0) -> dict[str, Tensor]:
    """Distributions for each head; a row of zeros is a label that is not known and that no teacher gave."""
    company = torch.zeros(len(examples), mentions.shape[1], len(SENTIMENTS))
    for b, example in enumerate(examples):
        for i, named in enumerate(example.companies):
            if mentions[b, i].any():
                known = [named.sentiment] if named.sentiment else []
                company[b, i] = _target(SENTIMENTS, known, named.taught, teacher_share)
    story = story_targets(examples, teacher_share)
    return {
        "sentiment_target": story["sentiment"],
        "company_target": company,
        "topics_target": story["topics"],
    }


def story_targets(examples: Sequence[Example], teacher_share: float = 0.0) -> dict[str, Tensor]:
    """Distributions of the story's heads: sentiment (N,3), topics (N,20)."""
    sentiment = torch.zeros(len(examples), len(SENTIMENTS))
    topics = torch.zeros(len(examples), len(TOPICS))
    for b, example in enumerate(examples):
        known = [example.sentiment] if example.sentiment else []
        sentiment[b] = _target(SENTIMENTS, known, example.taught, teacher_share)
        topics[b] = _target(TOPICS, example.topics, example.taught_topics, teacher_share)
    return {"sentiment": sentiment, "topics": topics}


def _target(classes: Sequence[str], known: Sequence[str], taught: Sequence[float], share: float) -> Tensor:
    """The label's distribution, the teacher's, or both, the teacher's counting `share`; zeros where there is neither."""
    label = torch.zeros(len(classes))
    for name in known:
        label[classes.index(name)] += 1 / len(known)
    if not taught:
        return label
    opinion = torch.tensor(taught)
    return torch.lerp(label, opinion, share) if known else opinion


def join_examples(first: Example, second: Example, joint: str) -> Example:
    """Two texts as one: companies keep their sentiment, the whole keeps its own only where both agree."""
    text = first.text.rstrip(". ") + joint + second.text
    at = len(text) - len(second.text)
    known = {c.name for c in first.companies}
    moved = [
        replace(c, spans=tuple((a + at, b + at) for a, b in c.spans))
        for c in second.companies
        if c.name not in known
    ]
    kept = [c for c in first.companies if c.name not in {d.name for d in second.companies}]
    same = first.sentiment if first.sentiment == second.sentiment else None
    first = replace(first, sentiment=same, topics=(), taught=(), taught_topics=())
    return replace(first, text=text, companies=(*kept, *moved))


def with_comparisons(example: Example) -> Example:
    """The example with its comparisons of figures said in words; spans move along."""
    read = compare_figures(example.text)
    companies = tuple(replace(c, spans=read.moved(c.spans)) for c in example.companies)
    return replace(example, text=read.text, companies=companies)


def swap_names(example: Example, names: Sequence[str], chance: float) -> Example:
    """The example with each of its companies renamed with probability `chance`; spans move along."""
    if not example.companies or not names:
        return example
    edits = []
    for i, company in enumerate(example.companies):
        if random.random() < chance:
            new = random.choice(names)
            edits += [(a, b, i, new) for a, b in company.spans]
    edits.sort()
    if not edits or any(x[1] > y[0] for x, y in itertools.pairwise(edits)):
        return example
    return _rewrite(example, edits)


def _rewrite(example: Example, edits: Sequence[tuple[int, int, int, str]]) -> Example:
    pieces, shifts, done = [], [], 0
    for a, b, _, new in edits:
        pieces += [example.text[done:a], new]
        shifts.append((a, b, len(new) - (b - a)))
        done = b
    text = "".join(pieces) + example.text[done:]

    def move(at: int) -> int:
        return at + sum(d for _, b, d in shifts if b <= at)

    companies = []
    for company in example.companies:
        spans = tuple((move(a), move(b)) for a, b in company.spans)
        companies.append(replace(company, name=text[slice(*spans[0])], spans=spans))
    if any(text[slice(*s)] != c.name for c in companies for s in c.spans):
        return example  # one name inside another: leave it alone
    return replace(example, text=text, companies=tuple(companies))


class EpochSampler(Sampler[int]):
    """Draws each example `weight` times an epoch, in pools sorted by length; seeded by (seed, epoch)."""

    def __init__(self, weights: Sequence[float], lengths: Sequence[int], batch: int, seed: int) -> None:
        self.weights = torch.tensor(weights, dtype=torch.float64)
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0
        self.size = max(1, math.floor(float(self.weights.sum()) + 0.5))

    def __len__(self) -> int:
        return self.size

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1000 + self.epoch)
        whole = self.weights.floor()
        drawn = torch.repeat_interleave(torch.arange(len(whole)), whole.long())
        missing = self.size - len(drawn)
        if missing > 0:
            extra = torch.multinomial((self.weights - whole).clamp(min=1e-9), missing, generator=generator)
            drawn = torch.cat([drawn, extra])
        order = drawn[torch.randperm(len(drawn), generator=generator)].tolist()
        yield from self._by_length(order, generator)

    def _by_length(self, order: list[int], generator: torch.Generator) -> Iterator[int]:
        pool = POOL * self.batch
        batches = []
        for start in range(0, len(order), pool):
            near = sorted(order[start : start + pool], key=lambda i: self.lengths[i])
            batches += [near[i : i + self.batch] for i in range(0, len(near), self.batch)]
        short = [b for b in batches if len(b) < self.batch]  # last, so that no full batch is cut by it
        full = [b for b in batches if len(b) == self.batch]
        for i in torch.randperm(len(full), generator=generator).tolist():
            yield from full[i]
        for rest in short:
            yield from rest


def class_weights(counts: Mapping[str, Mapping[str, int]], power: float) -> dict[str, list[float]]:
    """Per head, (1/frequency)^power for each class, scaled so that the average example weighs 1."""
    names: Final = {"sentiment": SENTIMENTS, "company": SENTIMENTS, "topics": TOPICS}
    weights = {}
    for head, classes in names.items():
        n = [max(1, counts.get(head, {}).get(c, 0)) for c in classes]
        raw = [(sum(n) / x) ** power for x in n]
        mean = sum(r * x for r, x in zip(raw, n, strict=True)) / sum(n)
        weights[head] = [r / mean for r in raw]
    return weights


@dataclass(frozen=True)
class Logits:
    """What a network said of examples: sentiment (N,3), topics (N,20); company (M,3) with its (example, company)."""

    sentiment: Tensor
    topics: Tensor
    company: Tensor
    company_of: list[tuple[int, int]]


@torch.inference_mode()
def score_examples(
    network: torch.nn.Module,
    collate: Collator,
    examples: Sequence[Example],
    device: torch.device,
    batch: int = 64,
) -> Logits:
    """Logits of every example, in fp32, in the order given; batches are sorted by length."""
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].text))
    sentiment = torch.zeros(len(examples), len(SENTIMENTS))
    topics = torch.zeros(len(examples), len(TOPICS))
    company: dict[tuple[int, int], Tensor] = {}
    was_training = network.training
    network.eval()
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        inputs = collate([examples[i] for i in rows])
        out = network(**{k: inputs[k].to(device) for k in ("input_ids", "attention_mask", "mentions")})
        sentiment[rows] = out["sentiment"].float().cpu()
        topics[rows] = out["topics"].float().cpu()
        for b, i in enumerate(rows):
            for k in range(len(examples[i].companies)):
                company[i, k] = out["company"][b, k].float().cpu()
    network.train(was_training)
    keys = sorted(company)
    stacked = torch.stack([company[k] for k in keys]) if keys else torch.zeros(0, len(SENTIMENTS))
    return Logits(sentiment, topics, stacked, keys)
