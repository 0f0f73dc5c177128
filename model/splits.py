"""Splits that do not flatter: near copies stay on one side, the past is learnt from and the future judged on."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from model.errors import Leak
from model.example import Example

#: Two texts are near copies when their word pairs overlap this much (Jaccard). At 0.6 the retweets and the
#: re-issued headlines of the public sets fall together while "X Q1 profit up" and "Y Q1 profit up" stay apart.
NEAR_COPY = 0.6
_PERMUTATIONS, _BANDS = 128, 32
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Lower-case words with every digit run made equal, so that a re-issue with new figures is a near copy."""
    text = re.sub(r"http\S*", " ", text.lower())
    return [re.sub(r"\d+", "0", w) for w in _WORD.findall(text)]


def _shingles(text: str) -> list[str]:
    tokens = words(text)
    if len(tokens) < 2:  # scripts without spaces, single words: pairs of characters
        joined = "".join(tokens) or text
        return [joined[i : i + 2] for i in range(max(1, len(joined) - 1))]
    return [f"{a} {b}" for a, b in itertools.pairwise(tokens)]


def group_stories(texts: Sequence[str], given: Sequence[str] = (), threshold: float = NEAR_COPY) -> list[str]:
    """A story key per text; near copies, and texts with the same `given` key, share one.

    Keys are stable: a digest of the first copy.
    """
    from rensa import RMinHash, RMinHashLSH

    shingles = [_shingles(t) for t in texts]
    hashes = RMinHash.from_token_sets(shingles, num_perm=_PERMUTATIONS, seed=7)
    lsh = RMinHashLSH(threshold, _PERMUTATIONS, _BANDS)
    parent = _joined(given, len(texts))
    sets = [set(s) for s in shingles]
    for i, signature in enumerate(hashes):
        for j in lsh.query(signature):
            if _root(parent, i) != _root(parent, j) and jaccard(sets[i], sets[j]) >= threshold:
                a, b = sorted((_root(parent, i), _root(parent, j)))
                parent[b] = a
        lsh.insert(i, signature)
    return [story_key(texts[_root(parent, i)]) for i in range(len(texts))]


def _joined(given: Sequence[str], n: int) -> list[int]:
    """Where each text starts out: with the first text that has its key."""
    first: dict[str, int] = {}
    return [first.setdefault(given[i], i) if given and given[i] else i for i in range(n)]


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def jaccard(a: set[str], b: set[str]) -> float:
    """Shared part of two sets, 0 to 1."""
    union = len(a | b)
    return len(a & b) / union if union else 1.0


def story_key(text: str) -> str:
    """16 hexadecimal digits, the same for texts whose words are equal but for digits and case."""
    return hashlib.sha256(" ".join(words(text)).encode()).hexdigest()[:16]


def split_by_story(
    examples: Sequence[Example], share: float, salt: str = "dev"
) -> tuple[list[Example], list[Example]]:
    """(train, dev): a story goes to one side by the digest of its key, so a grown set keeps its old split."""
    train: list[Example] = []
    dev: list[Example] = []
    for example in examples:
        point = int(hashlib.sha256(f"{salt}:{example.story}".encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        (dev if point < share else train).append(example)
    return train, dev


def split_by_time(examples: Sequence[Example], share: float) -> tuple[list[Example], list[Example]]:
    """(train, dev): the newest `share` of stories is judged on. A story that began before the cut is trained on."""
    began: dict[str, str] = {}
    for example in examples:
        began[example.story] = min(began.get(example.story, "9999"), example.published_at or "")
    order = sorted(began, key=lambda story: (began[story], story))
    late = set(order[len(order) - round(len(order) * share) :])
    return [e for e in examples if e.story not in late], [e for e in examples if e.story in late]


def refuse_leak(train: Iterable[str], judged: Sequence[str], threshold: float = NEAR_COPY) -> None:
    """Raises Leak when a text to be judged on has a near copy among the texts to be trained on."""
    leaks = find_leaks(train, judged, threshold)
    if leaks:
        text, copy = leaks[0]
        raise Leak(
            f"{len(leaks)} evaluation texts have near copies among the training texts, the first {text[:80]!r} "
            f"like {copy[:80]!r}; remove them from the training sources or evaluate on others"
        )


def find_leaks(
    train: Iterable[str], judged: Sequence[str], threshold: float = NEAR_COPY
) -> list[tuple[str, str]]:
    """Pairs (judged text, its near copy in training)."""
    from rensa import RMinHash, RMinHashLSH

    judged_sets = [set(_shingles(t)) for t in judged]
    lsh = RMinHashLSH(threshold, _PERMUTATIONS, _BANDS)
    signatures = RMinHash.from_token_sets([list(s) for s in judged_sets], num_perm=_PERMUTATIONS, seed=7)
    for i, signature in enumerate(signatures):
        lsh.insert(i, signature)
    found: dict[int, str] = {}
    for text in train:
        own = _shingles(text)
        (signature,) = RMinHash.from_token_sets([own], num_perm=_PERMUTATIONS, seed=7)
        for i in lsh.query(signature):
            if i not in found and jaccard(set(own), judged_sets[i]) >= threshold:
                found[i] = text
    return [(judged[i], copy) for i, copy in sorted(found.items())]


def count_labels(examples: Sequence[Example]) -> dict[str, dict[str, int]]:
    """How often each label stands in `examples`, by head."""
    counts: dict[str, dict[str, int]] = {h: defaultdict(int) for h in ("sentiment", "company", "topics")}
    for example in examples:
        if example.sentiment:
            counts["sentiment"][example.sentiment] += 1
        for company in example.companies:
            if company.sentiment:
                counts["company"][company.sentiment] += 1
        for topic in example.topics:
            counts["topics"][topic] += 1
    return {head: dict(sorted(c.items())) for head, c in counts.items()}
