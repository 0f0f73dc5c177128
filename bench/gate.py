"""The gate on real challengers made worse on purpose, on a better one, and on noise.

    python bench/gate.py --work DIR [--noise 10] [--only better,shuffled]

The champion is the starter that ships; the labels are those of the recorded wire (days 1 to 20). Each challenger goes
through the training, measuring and deciding of `undertow retrain`:

    better       trained on the labels as they are: promoted
    shuffled     labels given to the wrong articles: refused for "better" or a recall
    dropped      no negative article among the labels, trained for long: refused for "recall_negative"
    leaked       the frozen articles are in the training file: refused for "leak"
    calibration  the better one with its temperatures spoilt: refused for "calibration"
    slow         the better one reading everything twice: refused for "speed"
    negation     the better one with no, not, never blanked: refused for "behaviour_negation"
    noise        the champion with its weights jittered, on ten draws of the frozen set: promoted at most once

What is trained or measured is kept under DIR and not done again; give another DIR after a change of the starter.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from model.threads import share_cores  # noqa: E402

share_cores()

import model.recipe  # noqa: E402
from model.data import ledger  # noqa: E402
from model.example import find_spans  # noqa: E402
from model.inference import Classifier  # noqa: E402
from model.registry import MANIFEST, STARTER, load_manifest, load_state, save_model, write_manifest  # noqa: E402
from model.verdict import TextInput  # noqa: E402
from pipeline.demo import wire  # noqa: E402
from pipeline.label.dataset import (  # noqa: E402
    LabelledArticle,
    choose_frozen,
    make_dataset,
    mark_near_copies,
)
from pipeline.label.gate import decide  # noqa: E402
from pipeline.label.learn import RunFiles, find_copies, train_challenger, write_dataset  # noqa: E402
from pipeline.label.measure import measure, read_evidence  # noqa: E402

AT = datetime(2026, 1, 1, tzinfo=UTC)
EXPECTED = {
    "better": None,
    "shuffled": ("better", "recall_negative", "recall_neutral", "recall_positive"),
    "dropped": ("recall_negative",),
    "leaked": ("leak",),
    "calibration": ("calibration",),
    "slow": ("speed",),
    "negation": ("behaviour_negation",),
}
NEGATIONS = re.compile(r"\b(no|not|never|nor|without|hardly|neither)\b|n't\b", re.IGNORECASE)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--work", type=Path, required=True)
    arguments.add_argument("--noise", type=int, default=10)
    arguments.add_argument("--only", default=",".join(EXPECTED))
    given = arguments.parse_args()
    articles = labelled_articles()
    wrong = 0
    for name in given.only.split(","):
        files, challenger, load = make(name, articles, given.work)
        wrong += tell(name, weigh(files, challenger, load, given.work / f"{name}.json"), EXPECTED[name])
    promoted = 0
    for seed in range(given.noise):
        files, challenger = jitter(given.work, seed)
        note = given.work / f"noise-{seed}.json"
        promoted += tell(f"noise {seed}", weigh(files, challenger, plain(challenger), note), ())
        of = json.loads(note.read_text())["evidence"]
        print(f"    right on {of['won']} articles more and on {of['lost']} fewer", flush=True)
    print(f"noise: {promoted} of {given.noise} promoted")
    sys.exit(bool(wrong or promoted > 1))


def labelled_articles(seed: int = 1) -> list[LabelledArticle]:
    """The wire's own labels, copies and corrections left out; the seed draws what will be frozen."""
    rng = random.Random(seed)
    watched = tomllib.loads((ROOT / "pipeline/demo/companies.toml").read_text())["companies"]
    names = {c["ticker"]: [c["name"], *c.get("aliases", []), c["ticker"]] for c in watched}
    out = []
    for place, item in enumerate(wire.read(range(1, 21))):
        if item.labels["copy_of"] or item.labels["correction_of"]:
            continue
        text = f"{item.title}\n{item.summary}"
        companies = tuple(
            (ticker, find_company(text, names[ticker]), str(verdict))
            for ticker, verdict in dict(item.labels["company_sentiment"] or {}).items()  # type: ignore[call-overload]
            if find_company(text, names[ticker])
        )
        out.append(
            LabelledArticle(
                article_id=place,
                story_id=place,
                text=text,
                sentiment=str(item.labels["sentiment"]),
                companies=companies,
                topics=tuple(item.labels["topics"] or ()),  # type: ignore[arg-type]
                available_at=AT + timedelta(minutes=place),
                first_label=place + 1,
                labels=1,
                disputed=0,
                random=False,
                may_train=True,
                frozen=None,
                point=rng.random(),
                oldest_label=place + 1,
            )
        )
    return out


def find_company(text: str, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where a company stands in a text; of names inside each other the longer one."""
    spans = sorted({span for name in names for span in find_spans(text, name)}, key=lambda s: (s[0], -s[1]))
    kept: list[tuple[int, int]] = []
    for span in spans:
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return tuple(kept)


def make(
    name: str, articles: Sequence[LabelledArticle], work: Path
) -> tuple[RunFiles, Path, Callable[[Path | None], Any]]:
    """Files, challenger directory and loader of one kind of challenger; what is there already is used again."""
    derived = {"calibration": spoil_temperatures, "slow": None, "negation": None}
    if name in derived:
        files, better, _ = make("better", articles, work)
        target = work / "models" / name
        if not (target / MANIFEST).is_file():
            shutil.copytree(better, target)
            if name == "calibration":
                spoil_temperatures(target)
        return files, target, {"slow": slow, "negation": deaf_to_no}.get(name, plain)(target)  # type: ignore[operator]
    files, out = RunFiles(work / name), work / "models" / name
    if not (out / MANIFEST).is_file():
        write_files(files, articles, name)
        usual, texts = model.recipe.RETRAIN, model.recipe.own_texts
        if name == "dropped":
            model.recipe.RETRAIN = replace(usual, epochs=4, learning_rate=1e-4)  # type: ignore[misc]
            model.recipe.own_texts = lambda weight=1.0: []  # type: ignore[misc,assignment]
        train_challenger(
            files, out, start=STARTER, base="", replay_weight=0.0, created_at=AT.isoformat(), device="auto"
        )
        model.recipe.RETRAIN, model.recipe.own_texts = usual, texts  # type: ignore[misc]
    return files, out, plain(out)


def write_files(files: RunFiles, articles: Sequence[LabelledArticle], name: str) -> None:
    """What a retraining on these articles would learn from and be judged on, spoilt by the kind of challenger."""
    copies = find_copies(articles, ())
    frozen = choose_frozen(articles, 0, copies)
    dataset = make_dataset(articles, frozen, 0, mark_near_copies(articles, frozen, copies))
    write_dataset(files, replace(dataset, new=tuple(spoil(name, dataset.new, dataset.frozen))))


def spoil(
    name: str, new: Sequence[LabelledArticle], frozen: Sequence[LabelledArticle]
) -> Sequence[LabelledArticle]:
    """The training articles of one kind of challenger."""
    if name == "shuffled":
        given = [(a.sentiment, a.topics) for a in new]
        random.Random(2).shuffle(given)
        return [replace(a, sentiment=s, topics=t, companies=()) for a, (s, t) in zip(new, given, strict=True)]
    if name == "dropped":
        return [a for a in new if a.sentiment != "negative"]
    return [*new, *frozen] if name == "leaked" else new


def spoil_temperatures(folder: Path) -> None:
    manifest = load_manifest(folder)
    temperatures = {head: value * 0.25 for head, value in manifest.temperatures.items()}
    write_manifest(folder, replace(manifest, temperatures=temperatures))


def jitter(work: Path, seed: int) -> tuple[RunFiles, Path]:
    """The champion with every weight of its network moved by 10 % of its tensor's spread: other verdicts, none the wiser."""
    import torch

    files, out = RunFiles(work / f"noise-{seed}"), work / "models" / f"noise-{seed}"
    if not (out / MANIFEST).is_file():
        write_files(files, labelled_articles(100 + seed), "noise")
        manifest, state, _ = load_state(STARTER)
        torch.manual_seed(seed)
        moved = {
            k: v + (0.1 * v.float().std() * torch.randn(v.shape)).to(v.dtype)
            if v.is_floating_point()
            and v.numel() > 1  # not the tables beside the network, nor their one scale
            else v
            for k, v in state.items()
        }
        seen = tuple(ledger([model.recipe.label_source(files.new)]))  # or it would be refused for its origin
        save_model(out, moved, replace(manifest, version=f"noise-{seed}", files={}, data=seen))
    return files, out


def plain(_: Path) -> Callable[[Path | None], Any]:
    return lambda path: Classifier.load(path)


def slow(challenger: Path) -> Callable[[Path | None], Any]:
    return lambda path: Twice(Classifier.load(path)) if path == challenger else Classifier.load(path)


def deaf_to_no(challenger: Path) -> Callable[[Path | None], Any]:
    return lambda path: Deaf(Classifier.load(path)) if path == challenger else Classifier.load(path)


class Twice:
    """A model that reads everything twice."""

    def __init__(self, inner: Classifier) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def predict(self, texts: Sequence[Any]) -> Any:
        self.inner.predict(texts)
        return self.inner.predict(texts)


class Deaf(Twice):
    """A model that does not hear a no."""

    def predict(self, texts: Sequence[Any]) -> Any:
        blank = lambda text: NEGATIONS.sub(lambda found: " " * len(found.group()), text)  # noqa: E731
        heard = [blank(t) if isinstance(t, str) else TextInput(blank(t.text), t.companies) for t in texts]
        return self.inner.predict(heard)


def weigh(files: RunFiles, challenger: Path, load: Callable[[Path | None], Any], note: Path) -> Any:
    if not note.is_file():
        note.write_text(json.dumps(measure(None, challenger, files, load=load)))
    return decide(read_evidence(json.loads(note.read_text())))


def tell(name: str, verdict: Any, expected: Sequence[str] | None) -> int:
    """Prints one line; 1 where the gate was wrong. Nothing expected: any reason will do."""
    if expected is None:
        right = verdict.promote
    else:
        right = not verdict.promote and (not expected or bool(set(expected) & set(verdict.failed)))
    what = "promoted" if verdict.promote else "refused for " + ", ".join(verdict.failed)
    print(f"{name}: {what}: {'as it should be' if right else 'WRONG'}", flush=True)
    for reason in verdict.reasons:
        if not reason.passed or verdict.promote:
            print(f"    {reason.sentence}", flush=True)
    return int(not right)


if __name__ == "__main__":
    main()
