"""A retraining small enough for tests: a tiny real model that was hardly trained, and labels that it can learn from."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from newsroom import NOW, add_articles, add_feed

from pipeline import retrain, run
from pipeline.settings import Settings
from pipeline.store import labels, models, retrainings

MODEL_TESTS = Path(__file__).resolve().parents[1] / "unit" / "model"
AT = NOW.isoformat()


def model_fixtures():
    """The tiny base encoder of the model room's tests."""
    sys.path.insert(0, str(MODEL_TESTS))
    spec = importlib.util.spec_from_file_location("model_conftest", MODEL_TESTS / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_champion(folder: Path) -> Path:
    """A tiny model that was hardly trained; its base encoder lies beside it."""
    from model.data import Source
    from model.finetune import finetune
    from model.training import TrainConfig

    tests = model_fixtures()
    (folder / "base").mkdir()
    base = tests.write_base(folder / "base")
    rows = tests.write_rows(folder / "rows.jsonl", tests.make_rows(60, seed=5))
    source = Source("made", rows, "MIT", "made by the test")
    config = TrainConfig(base=str(base), epochs=1, learning_rate=1e-3, precision="fp32", **SMALL)
    finetune(config, [source], folder / "champion", created_at=AT, device="cpu", command="test")
    return folder / "champion"


SMALL: dict[str, Any] = {
    "batch": 8,
    "head_factor": 1.0,
    "dev_share": 0.2,
    "max_tokens": 48,
    "tracking": (),
}


def make_small(patch: Callable[[Any, str, Any], None], champion: Path, folder: Path) -> None:
    """Has retrainings go on from the tiny model in seconds, and judges behaviour by what it can understand.

    Its speed is not measured: 128 texts take it 12 ms, and two loads of one tiny model differ by up to a half, where the
    starter's differ by 3 %. tests/unit/label/test_speed.py measures what takes long enough.
    """
    import model.evaluate
    import model.recipe
    import pipeline.label.measure
    from model.training import TrainConfig

    config = TrainConfig(base=str(champion.with_name("base")), epochs=10, learning_rate=5e-3, **SMALL)
    patch(model.recipe, "RETRAIN", config)
    patch(model.recipe, "own_texts", lambda weight=1.0: [])
    patch(model.evaluate, "SUITE", suite(folder / "suite"))
    patch(pipeline.label.measure, "compare_speed", lambda before, now, texts: (1000.0, 1000.0))


def suite(folder: Path) -> Path:
    """A behavioural suite that a tiny model can understand."""
    folder.mkdir(exist_ok=True)
    cases = {"rises": "positive", "falls": "negative", "beats": "positive", "loses": "negative"}
    lines = [
        json.dumps({"id": f"verbs-{i}", "text": f"acme {verb} its sales", "expect": {"sentiment": verdict}})
        for i, (verb, verdict) in enumerate(cases.items())
    ]
    (folder / "verbs.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def make_line(engine: Any, database_url: str, home: Path) -> run.Line:
    """A line on this database."""
    settings = Settings(
        home=home,
        database_url=database_url,
        model_device="auto",
        alerts_file=Path(__file__).resolve().parents[2] / "alerts.toml",
        _env_file=None,
    )
    return run.Line(settings, engine)


def crown(line: run.Line, champion: Path) -> None:
    """Makes the tiny model champion."""
    from model.registry import verify

    manifest = verify(champion)
    with line.engine.begin() as connection:
        models.register_model(
            connection, version=manifest.version, path=str(champion), manifest=manifest.to_json(), as_of=NOW
        )
        models.point_alias(
            connection, manifest.version, by="test", reason="first", as_of=NOW - timedelta(days=30)
        )


def give_labels(line, *, shuffled: bool = False, start: int = 0, n: int = 240) -> None:
    rows = model_fixtures().make_rows(start + n, seed=9)[start:]
    feed = add_feed(line.engine, f"wire-{start}")
    articles = add_articles(line.engine, feed, [str(row["text"]) for row in rows])
    verdicts = [str(row["sentiment"]) for row in rows]
    if shuffled:
        random.Random(3).shuffle(verdicts)
    given = [
        labels.NewLabel(article, "story", "anna", NOW, "file", sentiment=verdict)
        for article, verdict in zip(articles, verdicts, strict=True)
    ]
    with line.engine.begin() as connection:
        labels.write_labels(connection, given, NOW)


def champion_of(line) -> str:
    with line.engine.connect() as connection:
        return models.champion(connection).version


def row_of(line, run_key="r1") -> retrainings.Retraining:
    with line.engine.connect() as connection:
        return retrainings.find_retraining(connection, run_key)


def one(line, query, **values):
    with line.engine.connect() as connection:
        return connection.execute(sa.text(query), values).scalar_one()


def teach_until(line, last_label: int) -> None:
    """A decided run whose challenger was taught all labels up to this one."""
    with line.engine.begin() as connection:
        champion = models.champion(connection)
        retrainings.open_retraining(connection, "before", champion.id, NOW - timedelta(days=7))
        retrainings.update_retraining(
            connection,
            "before",
            state="promoted",
            finished_at=NOW - timedelta(days=7),
            challenger_id=champion.id,
            data={"last_label": last_label},
        )


def texts_of(line, run_key):
    """Texts to learn from, and to be judged on, of a prepared run."""
    files = retrain.run_files(line, run_key)
    read = {
        name: {json.loads(text)["text"] for text in getattr(files, name).open()}
        for name in ("new", "old", "frozen")
    }
    return read["new"] | read["old"], read["frozen"]


def label_texts(line, texts: dict[str, str], feed: str, queue_reason: str | None = None) -> None:
    articles = add_articles(line.engine, add_feed(line.engine, feed), list(texts))
    given = [
        labels.NewLabel(a, "story", "anna", NOW, "file", sentiment=verdict, queue_reason=queue_reason)
        for a, verdict in zip(articles, texts.values(), strict=True)
    ]
    with line.engine.begin() as connection:
        labels.write_labels(connection, given, NOW)
