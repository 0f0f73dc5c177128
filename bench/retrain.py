"""How long a retrain on 2,000 new labels takes on this machine, from the starter: python bench/retrain.py --data DIR

DIR holds sentfin/train.jsonl; 2,000 of its headlines stand in for labels that people gave.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from model.data import read_rows
from model.finetune import finetune
from model.recipe import retrain_recipe
from model.registry import STARTER


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--labels", type=int, default=2000)
    given = arguments.parse_args()
    rows = [r for r in read_rows(given.data / "sentfin/train.jsonl") if r["sentiment"] != "mixed"][
        : given.labels
    ]
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels.jsonl"
        labels.write_text(
            "".join(
                json.dumps({"text": r["text"], "sentiment": r["sentiment"], "companies": r["entities"]})
                + "\n"
                for r in rows
            )
        )
        config, sources = retrain_recipe(None, Path(folder), labels, True, STARTER)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        result = finetune(config, sources, Path(folder) / "model", created_at=now, device="cpu")
    print(f"{len(rows)} labels and our own texts: {result.seconds:.0f} s, {result.metrics}")


if __name__ == "__main__":
    main()
