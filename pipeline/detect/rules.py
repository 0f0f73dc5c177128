"""The rules of detection: the [rule] part of alerts.toml, with what differs per kind of Series and per Series."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from pipeline.errors import ConfigurationError, FileMistakes
from pipeline.notify.alerts_file import parse_routing
from pipeline.notify.routes import Routing
from pipeline.types import SeriesKind

KINDS = get_args(SeriesKind)
# Raise it when the statistic changes: baselines and alerts name it, so old and new figures are never mixed.
STATISTIC_VERSION = "cnb-4"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a series alerts. Scores are -log10 of a probability; see `undertow replay --fit` for the thresholds.

    The evidence (stories, stories above expectation, times expectation) must be there in one and the same window.
    """

    enabled: bool = True
    warning: float = 3.0
    critical: float = 5.0
    least_negative: int = 3
    least_excess: float = 3.0
    least_ratio: float = 1.5
    pending_ticks: int = 2
    hold_ratio: float = 0.5
    hold_hours: float = 6.0
    reopen_hours: float = 12.0
    learn_days: float = 14.0


@dataclass(frozen=True)
class Rules:
    """All rules and the routing in force. `market_factor`: from which factor on the whole market is one alert.

    `missed_copies`: copies taken for stories of their own, per copy that was found; they are expected, not news. Of near
    copies made for the purpose 0.005 are missed (`bench/ingest_stories.py`); wires rewrite more, so twice that is taken.
    """

    rule: Rule = Rule()
    kinds: Mapping[str, Rule] = field(default_factory=dict)
    series: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    market_factor: float = 1.5
    missed_copies: float = 0.01
    routing: Routing = field(default_factory=Routing)

    def of(self, kind: str, key: str) -> Rule:
        """The rule of one series: its own fields over those of its kind over the general ones."""
        rule = self.kinds.get(kind, self.rule)
        own = self.series.get((kind, key))
        return replace(rule, **own) if own else rule

    def with_overrides(self, overrides: Mapping[tuple[str, str], Mapping[str, Any]]) -> Rules:
        """These rules with per-series changes from the database on top; unknown fields are left out."""
        known = {f.name for f in fields(Rule)}
        merged = dict(self.series)
        for name, own in overrides.items():
            merged[name] = {**merged.get(name, {}), **{k: v for k, v in own.items() if k in known}}
        return replace(self, series=merged)

    @property
    def version(self) -> str:
        """Name of these rules: the statistic and a digest of everything that decides about alerts."""
        said = {
            "rule": asdict(self.rule),
            "kinds": {k: asdict(r) for k, r in sorted(self.kinds.items())},
            "series": [[*name, dict(own)] for name, own in sorted(self.series.items())],
            "market_factor": self.market_factor,
            "missed_copies": self.missed_copies,
        }
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return f"{STATISTIC_VERSION}-{digest[:8]}"


def load_rules(path: Path) -> Rules:
    """Rules and routing in the file at `path`. Raises ConfigurationError (no file), FileMistakes (all of them)."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror})",
            "name it in UNDERTOW_ALERTS_FILE, or copy the repository's alerts.toml there",
        ) from error
    return parse_rules(text, path.name)


def parse_rules(text: str, path: str = "alerts.toml") -> Rules:
    """What `text` describes. Raises FileMistakes with every mistake of both halves of the file."""
    mistakes: list[str] = []
    routing = Routing()
    try:
        routing = parse_routing(text, path)
    except FileMistakes as error:
        mistakes += error.mistakes
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileMistakes(path, [f"it is not TOML: {error}"]) from error
    rules = _read(document.get("rule", {}), routing, mistakes)
    if mistakes:
        raise FileMistakes(path, mistakes)
    return rules


def _read(table: Any, routing: Routing, mistakes: list[str]) -> Rules:
    if not isinstance(table, dict):
        mistakes.append("[rule] must be a table")
        return Rules(routing=routing)
    table = dict(table)
    kinds, series = table.pop("kinds", {}), table.pop("series", [])
    market = _number(table, "market_factor", Rules.market_factor, mistakes)
    missed = _number(table, "missed_copies", Rules.missed_copies, mistakes)
    general = replace(Rule(), **_fields(table, "[rule]", mistakes))
    by_kind = {
        kind: replace(general, **_fields(own, f"[rule.kinds.{kind}]", mistakes))
        for kind, own in kinds.items()
        if _known_kind(kind, f"[rule.kinds.{kind}]", mistakes)
    }
    own_rules: dict[tuple[str, str], dict[str, Any]] = {}
    for number, own in enumerate(series, 1):
        where, own = f"[[rule.series]] number {number}", dict(own)
        kind, key = str(own.pop("kind", "")), str(own.pop("key", ""))
        if _known_kind(kind, where, mistakes):
            own_rules[kind, key] = _fields(own, where, mistakes)
    rules = Rules(general, by_kind, own_rules, market, missed, routing)
    for name, rule in [("[rule]", general), *((f"[rule.kinds.{k}]", r) for k, r in by_kind.items())]:
        if rule.critical < rule.warning:
            mistakes.append(f"{name} critical ({rule.critical}) is below warning ({rule.warning})")
    return rules


def _fields(table: Mapping[str, Any], where: str, mistakes: list[str]) -> dict[str, Any]:
    known = {name: type(value) for name, value in asdict(Rule()).items()}
    read: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            mistakes.append(
                f"{where} {name} means nothing here" + (f"; did you mean {near[0]}?" if near else "")
            )
        elif known[name] is bool and isinstance(value, bool):
            read[name] = value
        elif (
            known[name] is bool or isinstance(value, bool) or not isinstance(value, int | float) or value < 0
        ):
            mistakes.append(f"{where} {name}: {value!r} is not {_expected(known[name])}")
        else:
            read[name] = known[name](value)
    return read


def _number(table: dict[str, Any], name: str, default: float, mistakes: list[str]) -> float:
    value = table.pop(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        mistakes.append(f"[rule] {name}: {value!r} is not a number from 0 on")
        return default
    return float(value)


def _known_kind(kind: str, where: str, mistakes: list[str]) -> bool:
    if kind in KINDS:
        return True
    mistakes.append(f"{where} {kind!r} is no kind of series; they are {', '.join(KINDS)}")
    return False


def _expected(kind: type) -> str:
    return "true or false" if kind is bool else "a number from 0 on"
