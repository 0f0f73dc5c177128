"""The simulation of the design on seeds that were not developed on: `python bench/detect_simulation.py [seed ...]`.

Thresholds are fitted to the two budgets inside each world. How budgets are kept is counted twice, as false alarms by
budget: in the whole world at the mean thresholds of the worlds of `--fit-on`, and in the second half of its months at
thresholds fitted on the first half.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from pipeline.detect.rules import Rule
from pipeline.detect.trial import Trial, simulate_and_judge

UNSEEN = (101, 102, 103)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="*", default=UNSEEN)
    parser.add_argument(
        "--fit-on", type=int, nargs="*", default=(), help="seeds whose thresholds are brought"
    )
    arguments = parser.parse_args()
    fitted = [tell(simulate_and_judge(seed)).rule for seed in arguments.fit_on]
    brought = None
    if fitted:
        warning, critical = (
            float(np.mean([getattr(r, name) for r in fitted])) for name in ("warning", "critical")
        )
        brought = replace(Rule(), warning=warning, critical=critical)
        print(f"thresholds brought: {warning:.3f} / {critical:.3f}\n", flush=True)
    trials = [tell(simulate_and_judge(seed, brought=brought)) for seed in arguments.seeds]
    for budget in ("warning", "critical"):
        judged = [getattr(t, budget) for t in trials]
        means = {
            name: round(float(np.mean([getattr(j, name) for j in judged])), 3)
            for name in ("recall", "f1", "delay_hours", "notifications", "on_market_days")
        }
        print(f"mean, {budget}: {means}")


def tell(trial: Trial) -> Trial:
    print(
        f"seed {trial.seed}: {trial.rule.warning} / {trial.rule.critical}, {time.process_time():.0f} s so far"
    )
    for name, j in (("FA 0.5", trial.warning), ("FA 0.1", trial.critical)):
        causes = sum(j.false_by_cause.values())
        surges = j.false_by_cause.get("surge", 0) / max(1, causes)
        kinds = {kind: round(found, 2) for kind, found in j.by_kind.items()}
        print(
            f"  {name}: recall {j.recall:.3f} F1 {j.f1:.3f} delay {j.delay_hours:.2f} h, told {j.notifications:.2f},"
            f" surges {surges:.0%}, market days {j.on_market_days}, {kinds}"
        )
    if trial.brought_warning is not None:
        print(f"  budget spent: {trial.brought_warning:.2f} (0.5) {trial.brought_critical:.2f} (0.1)")
    print(f"  second half: {trial.kept_warning:.2f} (0.5) {trial.kept_critical:.2f} (0.1)", flush=True)
    return trial


if __name__ == "__main__":
    main()
