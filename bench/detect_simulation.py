"""The simulation of the design on seeds that were not developed on: `python bench/detect_simulation.py [seed ...]`.

Thresholds are fitted to the two budgets inside each world; `kept` is the false alarms of the second half of the
months at thresholds fitted on the first half, as a multiple of the budget.
"""

from __future__ import annotations

import sys
import time

from pipeline.detect.trial import simulate_and_judge

UNSEEN = (101, 102, 103)


def main(seeds: list[int]) -> None:
    for seed in seeds:
        began = time.perf_counter()
        trial = simulate_and_judge(seed)
        print(
            f"seed {seed}: {trial.rule.warning} / {trial.rule.critical}, {time.perf_counter() - began:.0f} s"
        )
        for name, j in (("FA 0.5", trial.warning), ("FA 0.1", trial.critical)):
            causes = sum(j.false_by_cause.values())
            surges = j.false_by_cause.get("surge", 0) / max(1, causes)
            print(
                f"  {name}: recall {j.recall:.3f} F1 {j.f1:.3f} delay {j.delay_hours:.2f} h, told {j.notifications:.2f},"
                f" surges {surges:.0%}, market days {j.on_market_days}, {j.by_kind}"
            )
        print(f"  kept {trial.kept_warning:.2f} (0.5) {trial.kept_critical:.2f} (0.1)", flush=True)


if __name__ == "__main__":
    main([int(a) for a in sys.argv[1:]] or list(UNSEEN))
