"""`undertow detect`, `detect-counts`, `replay` and `simulate`: finding spikes, live, on anybody's counts, and on trial."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from model.writable import check_file, writing
from pipeline.cli.output import JSON, print_json, say, table
from pipeline.errors import InputFileError, UsageError

if TYPE_CHECKING:
    from pipeline.detect.judge import Judgement
    from pipeline.detect.rules import Rules


def register(root: typer.Typer) -> None:
    root.command("detect")(detect)
    root.command("detect-counts")(detect_counts)
    root.command("replay")(replay)
    root.command("simulate")(simulate)


def detect(
    as_of: str | None = typer.Option(None, "--as-of", help="Pretend that it is this time (ISO 8601, UTC)."),
    build_baselines: bool = typer.Option(False, "--baselines", help="Only build what is usual for today."),
    as_json: bool = JSON,
) -> None:
    """Count what was scored, test every quarter of an hour since the last run, follow alerts.

    Messages wait in the outbox for `undertow notify`. Example: undertow detect
    """
    from pipeline import run

    at = _time(as_of, "--as-of") if as_of else None
    with run.open_line() as line:
        report = (run.build_baselines if build_baselines else run.detect)(line, as_of=at)
    say(report, as_json)


def detect_counts(
    counts_file: Path = typer.Option(
        ..., "--input", help="CSV: series, window_start, negative[, other, coverage, copies]."
    ),
    ticks_file: Path = typer.Option(..., "--output", help="CSV that is written: a row per series and tick."),
    rules_file: Path | None = typer.Option(
        None, "--rules", help="alerts.toml with a rule; defaults otherwise."
    ),
    market: bool = typer.Option(True, help="Correct for days that are bad for all series at once."),
    as_json: bool = JSON,
) -> None:
    """Test counts from a file: score, expected, p, severity, state and events of each tick. No database.

    Windows may be shorter than 15 minutes and are added up. Without a column `other` the score is that of bare counts,
    its tail calibrated per series. Example: undertow detect-counts --input counts.csv --output ticks.csv
    """
    from dataclasses import replace

    from pipeline.detect import countfile
    from pipeline.detect.course import evaluate_counts, walk
    from pipeline.detect.rules import Rules, load_rules
    from pipeline.detect.tick import everyone

    # Opening it to write would empty it; a link to it is the same file.
    if ticks_file.exists() and counts_file.exists() and ticks_file.samefile(counts_file):
        raise InputFileError(f"{ticks_file} holds the counts themselves", "write the ticks to another file")
    check_file(ticks_file)
    rules: Rules = load_rules(rules_file) if rules_file else Rules()
    counts, count_only = countfile.read_counts(counts_file)
    crowd = everyone([rules.of("company", name) for name in counts.series], missed_copies=rules.missed_copies)
    if count_only or not market:
        crowd = replace(crowd, in_market=~crowd.in_market)
    evaluated = evaluate_counts(counts, crowd, count_only=count_only)
    moves = walk(evaluated)
    with writing(ticks_file), ticks_file.open("w", encoding="utf-8", newline="") as file:
        rows = countfile.write_ticks(file, evaluated, moves)
    opened = sum(m.change.kind == "open" for m in moves)
    say({"series": len(counts.series), "rows": rows, "count_only": count_only, "alerts": opened}, as_json)


def replay(
    start: str = typer.Option(..., "--from", help="First day or time, UTC."),
    end: str = typer.Option(..., "--to", help="Last day or time (excluded), UTC."),
    rule_file: Path | None = typer.Option(None, "--rule", help="alerts.toml to try; the live one otherwise."),
    fit: bool = typer.Option(False, "--fit", help="Also fit the thresholds to the alarm budget."),
    as_json: bool = JSON,
) -> None:
    """Run the detector over stored history: alerts per week, how they differ from those told, thresholds that fit.

    Nothing is written and nobody is told. Example: undertow replay --from 2026-05-01 --to 2026-06-01 --fit
    """
    from pipeline import run
    from pipeline.detect.replay import replay_history
    from pipeline.detect.rules import load_rules

    first, last = _time(start, "--from"), _time(end, "--to")
    if last <= first:
        raise UsageError("--to lies before --from", "give the earlier time first")
    with run.open_line() as line:
        live: Rules = load_rules(line.settings.alerts_file)
        tried = load_rules(rule_file) if rule_file else live
        report = replay_history(line.engine, tried, live, first, last, fit=fit)
    if as_json:
        print_json(report)
        return
    _print_replay(report)


def simulate(
    seed: int = typer.Option(1, help="World to draw; the same seed gives the same world."),
    worlds: int = typer.Option(1, min=1, max=50, help="Worlds, from `seed` on; figures are their means."),
    series: int = typer.Option(150, min=5, max=5000, help="Series in each world."),
    as_json: bool = JSON,
) -> None:
    """Run the detector in a simulated world with planted spikes and print its table.

    About half a minute of computing per world. Example: undertow simulate --seed 100 --worlds 3
    """
    from pipeline.detect.trial import simulate_and_judge

    rows = [simulate_and_judge(seed + n, series) for n in range(worlds)]
    if as_json:
        print_json([{"seed": r.seed, "warning": vars(r.warning), "critical": vars(r.critical)} for r in rows])
        return
    _print_trial([r.warning for r in rows], "warning (0.5 false alarms per series and month)")
    _print_trial([r.critical for r in rows], "critical (0.1)")
    for r in rows:
        typer.echo(
            f"seed {r.seed}: thresholds {r.rule.warning} and {r.rule.critical}; kept from the half of the months before:"
            f" {r.kept_warning:.2f} and {r.kept_critical:.2f} of the budget on the half after"
        )


def _print_trial(judged: list[Judgement], title: str) -> None:
    def mean(name: str) -> float:
        return float(sum(getattr(j, name) for j in judged)) / len(judged)

    typer.echo(title)
    names = ("recall", "precision", "f1", "delay_hours", "false_alarms", "notifications", "on_market_days")
    table(["measure", "mean"], [[name.replace("_", " "), mean(name)] for name in names], empty="")
    kinds = judged[0].by_kind
    found = {k: sum(j.by_kind[k] for j in judged) / len(judged) for k in kinds}
    typer.echo("  found: " + ", ".join(f"{k} {v:.0%}" for k, v in found.items()))
    causes: dict[str, int] = {}
    for j in judged:
        for cause, number in j.false_by_cause.items():
            causes[cause] = causes.get(cause, 0) + number
    total = max(1, sum(causes.values()))
    shares = ", ".join(f"{c} {n / total:.0%}" for c, n in sorted(causes.items(), key=lambda x: -x[1]))
    typer.echo(f"  false alarms: {shares}\n")


def _print_replay(report: dict[str, Any]) -> None:
    say({k: v for k, v in report.items() if not isinstance(v, list)}, False)
    columns = ["week", "alerts", "critical"]
    table(columns, [[w[c] for c in columns] for w in report["weeks"]], empty="no alerts")
    columns = ["series", "opened_at", "severity", "score", "known"]
    table(columns, [[a[c] for c in columns] for a in report["alerts"]], empty="")


def _time(text: str, option: str) -> datetime:
    from pipeline.run import in_utc

    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise UsageError(f"{option}: {text!r} is no time", "write 2026-05-01 or 2026-05-01T12:00") from error
