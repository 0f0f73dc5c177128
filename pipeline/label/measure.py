"""Champion and challenger measured on the same frozen file: verdicts, behaviour, calibration, speed, leaks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.labels import SENTIMENTS
from pipeline.label import evidence as weigh
from pipeline.label.dataset import LabelledArticle
from pipeline.label.evidence import Verdicts
from pipeline.label.gate import ClassRecall, Evidence, Kind, Replay
from pipeline.label.learn import RunFiles

if TYPE_CHECKING:
    from model.example import Example
    from model.inference import Classifier

# Texts read at each measurement of speed, and how often both models are measured in turn: at least, and at most while
# the challenger looks slower; the best of each counts.
SPEED_TEXTS, SPEED_LEAST, SPEED_MOST = 128, 3, 12
LOOKS_SLOWER = 0.9
# Examples shown in the report for each direction of a flip.
SHOWN_FLIPS = 25

Load = Callable[[Path | None], "Classifier"]


def measure(
    champion: Path | None, challenger: Path, files: RunFiles, *, load: Load, replay: Replay | None = None
) -> dict[str, Any]:
    """All that the gate and the report need of both models, as plain values; `read_evidence` reads the gate's part.

    `load` makes a classifier of a model directory (None: the starter).
    """
    examples, sets = read_frozen(files.frozen)
    before, now = load(champion), load(challenger)
    said_before, said_now = judge(before, examples), judge(now, examples)
    won, lost = weigh.won_and_lost(said_before, said_now, len(examples))
    topics_won, topics_lost = weigh.topics_won_and_lost(said_before, said_now)
    reports = {"champion": weigh.report(said_before), "challenger": weigh.report(said_now)}
    evidence = Evidence(
        articles=len(examples),
        won=won,
        lost=lost,
        macro_f1=(reports["champion"]["macro"]["f1"], reports["challenger"]["macro"]["f1"]),
        classes=weigh.class_recalls(said_before, said_now),
        behaviour=compare_behaviour(before, now),
        calibration=(reports["champion"]["ece"], reports["challenger"]["ece"]),
        calibration_by_chance=weigh.ece_by_chance(said_now.probabilities),
        speed=compare_speed(before, now, [example.text for example in examples]),
        topics_won=topics_won,
        topics_lost=topics_lost,
        leaks=count_leaks(files, [example.text for example in examples]),
        traceable=is_traceable(challenger, files),
        replay=replay,
    )
    return {
        "evidence": asdict(evidence),
        "reports": reports,
        "sets": {
            "champion": weigh.by_set(said_before, sets),
            "challenger": weigh.by_set(said_now, sets),
        },
        "flips": find_flips(examples, said_before, said_now),
    }


def read_frozen(path: Path) -> tuple[list[Example], list[str]]:
    """The frozen examples of a run and the name of the set that each belongs to."""
    from model.data import Source, make_example, read_rows

    source = Source("frozen", path, "internal")
    examples, sets = [], []
    for row in read_rows(path):
        example = make_example(row, source)
        if example is not None:
            examples.append(example)
            sets.append(str(row["set"]))
    return examples, sets


def as_examples(articles: Sequence[LabelledArticle]) -> list[Example]:
    """Labelled articles as the learner reads them."""
    from model.data import Source, make_example

    source = Source("frozen", Path(), "internal")
    made = [make_example(article.as_example(), source) for article in articles]
    return [example for example in made if example is not None]


def judge(classifier: Classifier, examples: Sequence[Example]) -> Verdicts:
    """What a model says of the labelled stories and companies; a text it fails on is wrong with no confidence."""
    from model.verdict import Mentioned, TextInput
    from model.verdict import Verdict as Said

    inputs = [TextInput(e.text, [Mentioned(c.name, c.spans) for c in e.companies]) for e in examples]
    truth, probabilities, article, about, topics = [], [], [], [], {}
    for place, (example, answer) in enumerate(zip(examples, classifier.predict(inputs), strict=True)):
        said = answer if isinstance(answer, Said) else None
        verdicts = [("", example.sentiment, tuple(said.sentiment) if said else None)]
        verdicts += [
            (c.name, c.sentiment, tuple(said.companies[c.name]) if said else None) for c in example.companies
        ]
        for name, label, given in verdicts:
            if label is not None:
                truth.append(SENTIMENTS.index(label))
                probabilities.append(given or _wrong(label))
                article.append(place)
                about.append(name)
        if example.topics:
            topics[place] = said is not None and _likeliest(said.topics) in example.topics
    return Verdicts(
        np.array(truth, dtype=np.int64),
        np.array(probabilities, dtype=np.float64).reshape(-1, len(SENTIMENTS)),
        np.array(article, dtype=np.int64),
        topics,
        about,
    )


def _wrong(label: str) -> tuple[float, ...]:
    """Barely another verdict than `label`."""
    other = SENTIMENTS[(SENTIMENTS.index(label) + 1) % len(SENTIMENTS)]
    return tuple(0.34 if name == other else 0.33 for name in SENTIMENTS)


def _likeliest(topics: Mapping[str, float]) -> str:
    return max(topics, key=lambda name: topics[name])


def compare_behaviour(before: Classifier, now: Classifier) -> dict[str, Kind]:
    """Pass rates of both models on each kind of the behavioural suite."""
    from model.evaluate import SUITE, behave, load_suite

    first, second = behave(before, SUITE), behave(now, SUITE)
    changed: Counter[tuple[str, bool]] = Counter(
        (case.kind, case.id in first.failures)
        for case in load_suite(SUITE)
        if (case.id in first.failures) != (case.id in second.failures)
    )
    return {
        name: Kind(
            cases=first.counts[name],
            champion=first.kinds[name],
            challenger=second.kinds[name],
            won=changed[name, True],
            lost=changed[name, False],
        )
        for name in sorted(first.kinds)
    }


def compare_speed(before: Classifier, now: Classifier, texts: Sequence[str]) -> tuple[float, float]:
    """Stories per second of both, measured in turn on the same texts.

    On a CPU it is the processor's time that counts: other work on the machine would else decide on promotions.
    """
    clock = time.process_time if before.device.type == "cpu" else time.perf_counter
    sample = [texts[i % len(texts)] for i in range(SPEED_TEXTS)] if texts else ["no text"]
    best = [0.0, 0.0]
    for turn in range(SPEED_MOST):
        if turn >= SPEED_LEAST and best[1] >= LOOKS_SLOWER * best[0]:
            break
        for place, classifier in enumerate((before, now)):
            started = clock()
            classifier.predict(sample)
            best[place] = max(best[place], len(sample) / max(clock() - started, 1e-9))
    return best[0], best[1]


def count_leaks(files: RunFiles, judged: Sequence[str]) -> int:
    """Frozen texts with a near copy in the training files of the run, our own texts included."""
    from model.data import read_rows
    from model.recipe import own_texts
    from model.splits import find_leaks

    paths = [files.new, files.old, *(source.path for source in own_texts())]
    train = [str(row["text"]) for path in paths if path.is_file() for row in read_rows(path)]
    return len(find_leaks(train, judged))


def is_traceable(challenger: Path, files: RunFiles) -> bool:
    """True when the challenger's manifest names the training files of this run by their digests, and no others' labels."""
    from model.data import digest
    from model.recipe import own_texts
    from model.registry import load_manifest

    known = {digest(path) for path in (files.new, files.old) if path.is_file()}
    known |= {digest(source.path) for source in own_texts()}
    named = {str(source["sha256"]) for source in load_manifest(challenger).data}
    return digest(files.new) in named and named <= known


def find_flips(
    examples: Sequence[Example], before: Verdicts, now: Verdicts
) -> dict[str, list[dict[str, Any]]]:
    """Verdicts that only one of the models has right, the surest first."""
    flips: dict[str, list[tuple[float, dict[str, Any]]]] = {"won": [], "lost": []}
    for row in np.flatnonzero(before.right != now.right):
        shown = {
            "text": examples[before.article[row]].text,
            "about": before.about[int(row)],
            "label": SENTIMENTS[before.truth[row]],
            "champion": SENTIMENTS[before.said[row]],
            "challenger": SENTIMENTS[now.said[row]],
        }
        flips["won" if now.right[row] else "lost"].append((float(now.probabilities[row].max()), shown))
    return {
        name: [shown for _, shown in sorted(rows, key=lambda item: -item[0])[:SHOWN_FLIPS]]
        for name, rows in flips.items()
    }


def read_evidence(measured: Mapping[str, Any]) -> Evidence:
    """The gate's evidence out of what `measure` returned, also after it went through JSON."""
    raw = dict(measured["evidence"])
    raw["classes"] = {name: ClassRecall(**value) for name, value in raw["classes"].items()}
    raw["behaviour"] = {name: Kind(**value) for name, value in raw["behaviour"].items()}
    raw["replay"] = Replay(**raw["replay"]) if raw.get("replay") else None
    for pair in ("macro_f1", "calibration", "speed"):
        raw[pair] = tuple(raw[pair])
    return Evidence(**raw)


def summarise(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of both models that are kept in the database."""
    evidence, reports = measured["evidence"], measured["reports"]
    return {
        "articles": evidence["articles"],
        "won": evidence["won"],
        "lost": evidence["lost"],
        "behaviour": evidence["behaviour"],
        "speed": evidence["speed"],
        "sets": measured["sets"],
        **{
            name: {
                "accuracy": of["accuracy"],
                "macro_f1": of["macro"]["f1"],
                "ece": of["ece"],
                "recall": {label: values["recall"] for label, values in of["classes"].items()},
            }
            for name, of in reports.items()
        },
    }


def headline(metrics: Mapping[str, Any]) -> str:
    """What got better, in half a line, from the figures of `summarise`."""
    before, now = metrics["champion"]["macro_f1"], metrics["challenger"]["macro_f1"]
    return f"macro F1 {before:.3f} -> {now:.3f} on {metrics['articles']} articles"
