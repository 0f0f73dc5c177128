"""How names of labels change: each version of model/labels.py after the first comes with the renames that lead to it.

Renaming a topic is: a line in RENAMES, the new name and a higher LABEL_SCHEMA_VERSION in model/labels.py, and one run of
`undertow labels migrate`, which rewrites stored labels in one transaction. Files and rows of older versions are
brought up to date whenever they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from model.labels import LABEL_SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Rename:
    """What changed on the way to `version`: old name -> new name; None: the label is gone and rows lose it."""

    version: int
    topics: Mapping[str, str | None] = field(default_factory=dict)
    sentiments: Mapping[str, str] = field(default_factory=dict)


RENAMES: tuple[Rename, ...] = ()

Labelled = TypeVar("Labelled", bound=Any)


def bring_up_to_date(
    label: Labelled, version: int, renames: Sequence[Rename] = RENAMES, to: int | None = None
) -> Labelled:
    """A label (with `sentiment`, `topics`, `schema_version`) of schema `version` in the words of version `to`.

    Raises ValueError for a version that is newer than this release.
    """
    to = to if to is not None else max([LABEL_SCHEMA_VERSION, *(r.version for r in renames)])
    if version > to:
        raise ValueError(f"labels of schema {version} are newer than this release, which reads up to {to}")
    topics, sentiment = label.topics, label.sentiment
    for rename in sorted(renames, key=lambda r: r.version):
        if version < rename.version <= to:
            topics, sentiment = _rename(topics, sentiment, rename)
    return replace(label, topics=topics, sentiment=sentiment, schema_version=to)


def _rename(
    topics: tuple[str, ...] | None, sentiment: str | None, rename: Rename
) -> tuple[tuple[str, ...] | None, str | None]:
    if topics is not None:
        new = [rename.topics.get(topic, topic) for topic in topics]
        topics = tuple(dict.fromkeys(topic for topic in new if topic is not None))
    return topics, rename.sentiments.get(sentiment, sentiment) if sentiment else sentiment
