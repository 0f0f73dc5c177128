"""May the challenger become champion? A pure decision over what was measured, with a sentence for every check.

All checks are made and told; one that fails keeps the champion. The constants were chosen on `bench/gate.py`, which
makes challengers worse on purpose and on noise; run it again after changing one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

# Frozen articles with labels below which nothing is decided: with fewer, an honest gain of 5 points is mostly missed.
LEAST_ARTICLES = 60
# A class with fewer frozen labels than this has no recall worth comparing; the report says so.
LEAST_OF_CLASS = 10
# Chance of calling a challenger better that is not: of ten runs on noise one is promoted with probability .18, two
# with .016.
ALPHA = 0.02
# The same for its topics, where its sentiment is no worse: a quarter, since it is a second try on the same articles.
ALPHA_TOPICS = ALPHA / 4
# One-sided chance at which a loss counts as shown, and at which a larger one counts as excluded: strict enough that of
# ten honest challengers nine pass a check by which they are equal, loose enough that 75 labels can show a loss.
SHOWN = 0.10
# Below this recall of negative news no challenger passes that does not at least equal the champion.
NEGATIVE_FLOOR = 0.70
# Expected calibration error that a challenger may have beyond the champion's, or beyond what the size of the set gives
# a perfectly calibrated model in 19 of 20 draws.
CALIBRATION_SLACK = 0.02
# Share of the champion's speed that a challenger must reach; the best of some turns differs by a few percent.
SPEED_SHARE = 0.8
# Share of the alerts called useful that may be missed, and how many times as many alerts there may be (plus three).
USEFUL_MISSED, ALERTS_FACTOR, ALERTS_SPARE = 0.2, 2.0, 3


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a share may fall: a loss of more than `tolerated` must not be shown, one of `most` must be excluded."""

    tolerated: float
    most: float


# Negative news is what people are woken for. Training the same data in another order flips two of 35 cases of a kind.
NEGATIVE, OTHER, BEHAVIOUR = Bounds(0.02, 0.10), Bounds(0.05, 0.15), Bounds(0.06, 0.20)


@dataclass(frozen=True, slots=True)
class ClassRecall:
    """Recall of one sentiment for both models on the same `support` frozen labels; won and lost by the challenger."""

    support: int
    champion: float
    challenger: float
    won: int
    lost: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of behaviour: how many cases, the share that each model passes, and cases won and lost by the challenger."""

    cases: int
    champion: float
    challenger: float
    won: int
    lost: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Alerts that each would have raised in the same `days`, on the stories of `history_days` that both have read.

    useful: alerts called useful that the champion's replay raised too; useful_missed: those of them that the challenger's
    did not; called_useful: all that people called so. Runs of before know neither the last nor the history (0).
    """

    days: int
    champion: int
    challenger: int
    useful: int = 0
    useful_missed: int = 0
    called_useful: int = 0
    history_days: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of champion and challenger on the same frozen articles.

    won, lost: articles on which the challenger got more, fewer verdicts right; topics_won, topics_lost likewise.
    calibration: expected calibration errors, and the largest that chance explains in the challenger's place.
    speed: stories per second, measured in turn. leaks: frozen texts with near copies in the training data.
    traceable: the training file is the one that the challenger's manifest names.
    """

    articles: int
    won: int
    lost: int
    macro_f1: tuple[float, float]
    classes: Mapping[str, ClassRecall]
    behaviour: Mapping[str, Kind]
    calibration: tuple[float, float]
    calibration_by_chance: float
    speed: tuple[float, float]
    topics_won: int = 0
    topics_lost: int = 0
    leaks: int = 0
    traceable: bool = True
    replay: Replay | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One check: its name, whether the challenger passed it, and what to tell people."""

    check: str
    passed: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's decision with all its reasons, the failed ones first."""

    promote: bool
    reasons: tuple[Reason, ...] = field(default_factory=tuple)

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(reason.check for reason in self.reasons if not reason.passed)

    def as_dict(self) -> dict[str, Any]:
        return {
            "promote": self.promote,
            "failed": list(self.failed),
            "reasons": [reason.sentence for reason in self.reasons],
        }


def decide(evidence: Evidence) -> Verdict:
    """Promote only when the challenger is shown to be better and nothing that matters got worse."""
    reasons = [reason for check in CHECKS for reason in check(evidence)]
    reasons.sort(key=lambda reason: reason.passed)
    return Verdict(all(reason.passed for reason in reasons), tuple(reasons))


def sign_test(won: int, lost: int) -> float:
    """Chance of at least `won` wins when both models are equally good (one-sided exact sign test; ties left out)."""
    n = won + lost
    return sum(math.comb(n, k) for k in range(won, n + 1)) / 2**n if n else 1.0


def fell(won: int, lost: int, of: int, bounds: Bounds) -> bool:
    """True when a share of `of` fell by more than it may, and a single flip is not all there is to it.

    Either the loss is shown (sign test), or it may be as large as `most`: the lower end of the paired interval.
    """
    loss = (lost - won) / of
    if loss <= bounds.tolerated or lost - won < 2:
        return False
    spread = math.sqrt(won + lost - (lost - won) ** 2 / of) / of
    return sign_test(lost, won) <= SHOWN or loss + NormalDist().inv_cdf(1 - SHOWN) * spread > bounds.most


# ---- the checks


def check_data(evidence: Evidence) -> Iterator[Reason]:
    if evidence.leaks:
        yield Reason(
            "leak",
            False,
            f"{evidence.leaks} of the frozen texts have near copies in its training data: its figures are worth nothing.",
        )
    elif not evidence.traceable:
        yield Reason(
            "leak",
            False,
            "Its manifest does not name the training file of this run, so what it has seen cannot be told.",
        )
    else:
        yield Reason("leak", True, "No frozen text, nor a near copy of one, is in its training data.")


def check_enough(evidence: Evidence) -> Iterator[Reason]:
    enough = evidence.articles >= LEAST_ARTICLES
    told = f"{evidence.articles} frozen articles with labels"
    yield Reason("evidence", enough, f"{told} are too few to decide on; {LEAST_ARTICLES} are needed." if not enough else f"Judged on {told}.")  # fmt: skip


def check_better(evidence: Evidence) -> Iterator[Reason]:
    p = sign_test(evidence.won, evidence.lost)
    before, after = evidence.macro_f1
    told = (
        f"better on {evidence.won} frozen articles and worse on {evidence.lost} (p = {p:.2g}); "
        f"macro F1 {before:.3f} before, {after:.3f} now"
    )
    if p <= ALPHA and after >= before:
        yield Reason("better", True, f"It is {told}.")
    elif names_topics_better(evidence) and evidence.won >= evidence.lost and after >= before:
        yield Reason("better", True, f"It names topics better, and its sentiment is no worse: {told}.")
    else:
        yield Reason("better", False, f"It is not shown to be better: {told}.")


def names_topics_better(evidence: Evidence) -> bool:
    """Whether more topics right is shown, and not by chance."""
    return sign_test(evidence.topics_won, evidence.topics_lost) <= ALPHA_TOPICS


def check_classes(evidence: Evidence) -> Iterator[Reason]:
    for name in sorted(evidence.classes, key=lambda n: n != "negative"):
        of = evidence.classes[name]
        told = (
            f"recall of {name} news {of.champion:.1%} before, {of.challenger:.1%} now ({of.support} labels)"
        )
        check = f"recall_{name}"
        if of.support < LEAST_OF_CLASS:
            yield Reason(check, True, f"Too few frozen labels to judge {name} news by itself ({of.support}).")
            continue
        worse = fell(of.won, of.lost, of.support, NEGATIVE if name == "negative" else OTHER)
        under = name == "negative" and of.challenger < min(NEGATIVE_FLOOR, of.champion)
        passed = not worse and not under
        yield Reason(check, passed, f"{told[0].upper()}{told[1:]}." if passed else f"It misses more: {told}.")


def check_topics(evidence: Evidence) -> Iterator[Reason]:
    won, lost = evidence.topics_won, evidence.topics_lost
    worse = sign_test(lost, won) <= ALPHA
    if won + lost or worse:
        told = f"topics right on {won} articles more and on {lost} fewer"
        yield Reason("topics", not worse, f"It names topics worse: {told}." if worse else f"It has {told}.")


def check_behaviour(evidence: Evidence) -> Iterator[Reason]:
    worse = {
        name: kind
        for name, kind in evidence.behaviour.items()
        if fell(kind.won, kind.lost, kind.cases, BEHAVIOUR)
    }
    for name, kind in worse.items():
        yield Reason(
            f"behaviour_{name}",
            False,
            f"It has unlearnt {name.replace('_', ' ')}: {kind.champion:.0%} of {kind.cases} cases passed before, "
            f"{kind.challenger:.0%} now.",
        )
    if not worse:
        yield Reason(
            "behaviour",
            True,
            f"None of {len(evidence.behaviour)} kinds of behaviour got worse by more than chance explains.",
        )


def check_calibration(evidence: Evidence) -> Iterator[Reason]:
    before, now = evidence.calibration
    allowed = max(before, evidence.calibration_by_chance) + CALIBRATION_SLACK
    told = f"expected calibration error {before:.3f} before, {now:.3f} now, {allowed:.3f} allowed"
    passed = now <= allowed
    yield Reason(
        "calibration",
        passed,
        f"Its probabilities mean what they say: {told}."
        if passed
        else f"Its probabilities do not mean what they say: {told}.",
    )


def check_speed(evidence: Evidence) -> Iterator[Reason]:
    before, now = evidence.speed
    told = f"{now:.0f} stories a second, the champion {before:.0f}"
    passed = now >= SPEED_SHARE * before
    yield Reason("speed", passed, f"It reads {told}." if passed else f"It is too slow: {told}.")


def check_alerts(evidence: Evidence) -> Iterator[Reason]:
    replay = evidence.replay
    if replay is None:
        yield Reason("alerts", True, "Alerts were not replayed: there is not enough scored history.")
        return
    told = f"in the last {replay.days} days it would have raised {replay.challenger} alerts, the champion {replay.champion}"
    if replay.history_days:
        told += f", on {replay.history_days} days of stories that both have read"
    too_many = replay.challenger > ALERTS_FACTOR * replay.champion + ALERTS_SPARE
    missed = replay.useful_missed > USEFUL_MISSED * replay.useful
    if called := max(replay.useful, replay.called_useful):
        told += f"; of {called} that people called useful the champion's replay raised {replay.useful}"
        told += f", and it missed {replay.useful_missed} of these" if replay.useful else ""
    yield Reason(
        "alerts",
        not too_many and not missed,
        f"{told[0].upper()}{told[1:]}."
        if not too_many and not missed
        else f"It would alert differently: {told}.",
    )


CHECKS: tuple[Callable[[Evidence], Iterator[Reason]], ...] = (
    check_data,
    check_enough,
    check_better,
    check_classes,
    check_topics,
    check_behaviour,
    check_calibration,
    check_speed,
    check_alerts,
)
