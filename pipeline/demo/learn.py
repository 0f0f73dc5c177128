"""`make demo-retrain`: what the wire's writers say of their articles becomes labels, and the gate decides.

The demo has been played before: its archive is stored and scored. The same again finds no new labels and says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import labels, retrain, run
from pipeline.demo import wire
from pipeline.demo.world import enter
from pipeline.errors import PlatformError

BY = "the wire's writers"


def learn() -> None:
    """Imports the labels of days 1 to 20, retrains, and shows what the gate said. Raises PlatformError before a demo."""
    began = time.monotonic()
    world, settings = enter(run.now())
    if not world.ready:
        raise PlatformError("the demo was not played yet", "run `make demo` first")
    path = write_labels(world.home / "labels.jsonl")
    with run.open_line(settings) as line:
        report = labels.import_labels(line, path, by=BY, origin="demo")
        _say(began, f"labels: {report['new']} new, {report['unchanged']} known, {report['refused']} refused")
        done = retrain.retrain(line, force=True, progress=lambda step: _say(began, step))
    _say(began, _outcome(done))
    for reason in done.get("gate", {}).get("reasons", ()):
        print(f"    {reason}")
    if done.get("report"):
        print(f"\nReport: {done['report']}")


def write_labels(path: Path) -> Path:
    """The labels of days 1 to 20 as a file for `undertow labels import`."""
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in label_rows()), encoding="utf-8"
    )
    return path


def label_rows() -> Iterator[dict[str, Any]]:
    """One row per article; a corrected one has the label of its correction, as it came later."""
    rows: dict[str, dict[str, Any]] = {}
    for item in wire.read(range(1, wire.TODAY)):
        rows[item.id] = {
            "guid": item.id,
            "feed": item.feed,
            "sentiment": item.labels["sentiment"],
            "company_sentiment": item.labels["company_sentiment"] or {},
            "topics": item.labels["topics"] or [],
        }
    yield from rows.values()


def _outcome(done: dict[str, Any]) -> str:
    match done["state"]:
        case "promoted":
            return "the gate passed the challenger: it is champion now; `undertow models rollback` goes back"
        case "refused":
            return "the gate refused the challenger: the champion stays"
    return f"nothing to learn: {done.get('new_labels', 0)} new labels"


def _say(began: float, news: str) -> None:
    print(f"[{time.monotonic() - began:5.1f} s] {news}", flush=True)
