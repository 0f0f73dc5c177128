"""Rows that tests write to files."""

from __future__ import annotations

import json
import random
from pathlib import Path

TAILS = [
    "profit",
    "loss",
    "sales",
    "shares",
    "for",
    "its",
    "as",
    "while",
    "after",
    "quarter",
    "record",
    "strong",
    "weak",
    "no",
    "not",
]


def make_rows(n: int, seed: int = 1) -> list[dict[str, object]]:
    """Headlines whose verb decides, with a topic and a company."""
    rng = random.Random(seed)
    verbs = {
        "positive": ("rises", "beats", "wins"),
        "negative": ("falls", "misses", "loses"),
        "neutral": ("in", "to"),
    }
    rows: list[dict[str, object]] = []
    for i in range(n):
        label = ("positive", "negative", "neutral")[i % 3]
        name = rng.choice(["acme", "borel", "corp", "bank"])
        rows.append(
            {
                "text": f"{name} {rng.choice(verbs[label])} {' '.join(rng.choices(TAILS, k=5))}",
                "sentiment": label,
                "companies": {name: label},
                "topics": [("earnings", "markets")[i % 2]],
                "published_at": f"2026-01-{1 + i % 28:02d}",
            }
        )
    return rows


def make_chinese_rows(n: int) -> list[dict[str, object]]:
    """Chinese headlines: profits rise, losses grow."""
    rng = random.Random(2)
    rows: list[dict[str, object]] = []
    for i in range(n):
        name = rng.choice(["腾讯", "银行", "阿里巴巴", "公司"])
        good = i % 2 == 0
        text = name + (
            "利润" + "上升增长大涨"[2 * rng.randrange(3) :][:2]
            if good
            else "亏损" + "下降大跌"[2 * rng.randrange(2) :][:2]
        )
        text += "".join(rng.choices("利润股价中国央行，。", k=6))
        label = "positive" if good else "negative"
        rows.append({"text": text, "sentiment": label, "companies": {name: label}})
    return rows


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return path
