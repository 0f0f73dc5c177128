"""alerts.toml: what it says, and every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.detect.rules import Rule, Rules, load_rules, parse_rules
from pipeline.errors import ConfigurationError, FileMistakes


def test_the_file_that_ships_holds_the_defaults(project_root: Path) -> None:
    shipped = load_rules(project_root / "alerts.toml")
    assert shipped.rule == Rule()
    assert shipped.version == Rules().version


def test_own_fields_win_over_those_of_the_kind_over_the_general_ones() -> None:
    rules = parse_rules(
        "[rule]\nwarning = 2\n[rule.kinds.company]\ncritical = 7\n"
        '[[rule.series]]\nkind = "company"\nkey = "Acme"\nwarning = 4\n'
    )
    assert (rules.of("topic", "x").warning, rules.of("topic", "x").critical) == (2.0, 5.0)
    assert (rules.of("company", "Birch").warning, rules.of("company", "Birch").critical) == (2.0, 7.0)
    assert (rules.of("company", "Acme").warning, rules.of("company", "Acme").critical) == (4.0, 7.0)
    stronger = rules.with_overrides({("company", "Acme"): {"warning": 1.0, "unknown": 3}})
    assert stronger.of("company", "Acme").warning == 1.0


def test_all_mistakes_are_told_at_once() -> None:
    text = '[rule]\nwarnin = 2\ncritical = "high"\n[rule.kinds.firm]\nwarning = 1\n[receivers.x]\nkind = "pigeon"\n'
    with pytest.raises(FileMistakes) as error:
        parse_rules(text)
    told = "\n".join(error.value.mistakes)
    assert "did you mean warning?" in told
    assert "'high' is not a number" in told
    assert "'firm' is no kind of series" in told
    assert "pigeon" in told


def test_critical_below_warning_is_a_mistake() -> None:
    with pytest.raises(FileMistakes, match="below warning"):
        parse_rules("[rule]\nwarning = 6\n")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="UNDERTOW_ALERTS_FILE"):
        load_rules(tmp_path / "none.toml")


def test_the_version_names_what_decides() -> None:
    assert parse_rules("[rule]\nwarning = 3.5\n").version != Rules().version
    assert parse_rules('[receivers.a]\nkind = "email"\nto = ["a@b.example"]\n').version == Rules().version
