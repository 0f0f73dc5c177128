"""The behavioural suite: small texts on which a classifier must not be wrong, judged case by case. Pure.

A case asks for a sentiment, for companies' sentiments, for one of several topics, or only forbids a verdict; see
model/behaviour/README.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.verdict import Failure, TextInput, Verdict


@dataclass(frozen=True)
class Case:
    """One case of the suite; `kind` is the name of its file."""

    id: str
    kind: str
    text: str
    expect: Mapping[str, Any] = field(default_factory=dict)
    never: Mapping[str, Any] = field(default_factory=dict)
    same_as: str = ""

    def inputs(self) -> list[TextInput]:
        """The texts to score for this case: its own and, where it has one, the text it must agree with."""
        companies = [*self.expect.get("companies", {}), *self.never.get("companies", {})]
        return [TextInput(self.text, companies)] + ([TextInput(self.same_as)] if self.same_as else [])


@dataclass(frozen=True)
class Behaviour:
    """Pass rates: overall and per kind, with the ids that failed and what was said instead."""

    overall: float
    cases: int
    kinds: Mapping[str, float]
    counts: Mapping[str, int]
    failures: Mapping[str, str]


def complaint(case: Case, verdicts: Sequence[Verdict | Failure]) -> str:
    """What is wrong with the verdicts of a case's inputs; empty when it passes."""
    own = verdicts[0]
    if isinstance(own, Failure):
        return own.reason
    wrong = _unlike(case.expect, own) + _like(case.never, own)
    if case.same_as:
        other = verdicts[1]
        if isinstance(other, Failure) or other.sentiment.label != own.sentiment.label:
            wrong.append(f"{own.sentiment.label} here, another verdict on its twin")
    return "; ".join(wrong)


def _unlike(expect: Mapping[str, Any], own: Verdict) -> list[str]:
    wrong = []
    if (want := expect.get("sentiment")) and own.sentiment.label != want:
        wrong.append(f"{own.sentiment.label}, not {want}")
    for name, want in expect.get("companies", {}).items():
        if own.companies[name].label != want:
            wrong.append(f"{name} {own.companies[name].label}, not {want}")
    if (topics := expect.get("topics")) and not set(topics) & set(own.main_topics()):
        wrong.append(f"{own.main_topics()[0]}, not {' or '.join(topics)}")
    return wrong


def _like(never: Mapping[str, Any], own: Verdict) -> list[str]:
    wrong = []
    if never.get("sentiment") == own.sentiment.label:
        wrong.append(f"{own.sentiment.label}")
    wrong += [
        f"{name} {label}"
        for name, label in never.get("companies", {}).items()
        if own.companies[name].label == label
    ]
    if (topics := set(never.get("topics", ()))) & set(own.main_topics()):
        wrong.append(f"about {', '.join(sorted(topics & set(own.main_topics())))}")
    return wrong


def pass_rates(cases: Sequence[Case], complaints: Sequence[str]) -> Behaviour:
    """Rates over all cases and per kind."""
    passed: dict[str, list[bool]] = defaultdict(list)
    for case, wrong in zip(cases, complaints, strict=True):
        passed[case.kind].append(not wrong)
    return Behaviour(
        overall=round(sum(not c for c in complaints) / max(1, len(complaints)), 4),
        cases=len(cases),
        kinds={k: round(sum(p) / len(p), 4) for k, p in sorted(passed.items())},
        counts={k: len(p) for k, p in sorted(passed.items())},
        failures={case.id: wrong for case, wrong in zip(cases, complaints, strict=True) if wrong},
    )
