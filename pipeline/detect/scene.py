"""What the ticks of one day share: the series with their rules, and the baseline in the order of the series. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.baseline import Baseline, History
from pipeline.detect.counts import WINDOW_HOURS
from pipeline.detect.coverage import MOST_UNREAD, coverage_before, feed_weights
from pipeline.detect.night import Night, midnight
from pipeline.detect.rules import Rules
from pipeline.detect.tick import Crowd, Span
from pipeline.types import Series

FloatArray = NDArray[np.float64]

# Days of history that a baseline is made of: three of the longest half-lives.
HISTORY_DAYS = 84


@dataclass(frozen=True)
class Scene:
    """Series in the order of their index, with what is usual for them on one day.

    `learning` [S]: too young to be told of what is not critical; `weights` [S, F] by `feed_ids`.
    """

    series: tuple[Series, ...]
    crowd: Crowd
    baseline: Baseline
    baseline_id: int
    model_version_id: int
    learning: NDArray[np.bool_]
    feed_ids: tuple[int, ...]
    weights: FloatArray

    @property
    def index(self) -> dict[int, int]:
        return {series.id: i for i, series in enumerate(self.series)}


def make_scene(series: Sequence[Series], night: Night, rules: Rules) -> Scene:
    """The scene of the day that the baseline was built for."""
    ids = [s.id for s in series]
    baseline = night.rows_of(ids)
    crowd = make_crowd(series, rules)
    learn_days = np.array([rule.learn_days for rule in crowd.rules])
    return Scene(
        tuple(series),
        crowd,
        baseline,
        night.id,
        night.model_version_id,
        baseline.days < learn_days,
        night.feed_ids,
        feed_weights(night.brought, ids, night.feed_ids),
    )


def make_crowd(series: Sequence[Series], rules: Rules) -> Crowd:
    """Rules by series, and who counts in the market factor."""
    kinds = [s.kind for s in series]
    # one kind only, or a crisis of one company would count again in each of its topics
    of_market = "company" if "company" in kinds else "topic"
    return Crowd(
        tuple(rules.of(s.kind, s.key) for s in series),
        np.array([kind == of_market for kind in kinds], dtype=bool),
        np.array([kind != "all" for kind in kinds], dtype=bool),
        kinds.index("all") if "all" in kinds else None,
        rules.market_factor,
        rules.missed_copies,
    )


def make_span(
    scene: Scene,
    tick_at: datetime,
    trailing: Mapping[int, Sequence[float]],
    exceptions: Mapping[datetime, Mapping[int, float]],
    unseen: float,
    unread: float = 0.0,
) -> Span:
    """One tick from the trailing counts of its series (see store.windows.read_trailing).

    `unread`: part of the newest stories that had no verdict yet.
    """
    counts = np.zeros((len(scene.series), 3, len(WINDOW_HOURS)))
    index = scene.index
    known = [(index[series_id], numbers) for series_id, numbers in trailing.items() if series_id in index]
    if known:
        values = np.array([numbers for _, numbers in known], dtype=float)
        counts[[place for place, _ in known]] = values.reshape(len(known), 3, -1)
    coverage = coverage_before(tick_at, exceptions, scene.weights, scene.feed_ids, unseen)
    return Span(
        tick_at, counts[:, None, 0], counts[:, None, 1], counts[:, None, 2], coverage, unread > MOST_UNREAD
    )


def make_history(
    series: Sequence[tuple[Series, datetime]],
    day: date,
    hours: Sequence[tuple[int, datetime, int, int]],
    whole: Mapping[datetime, float],
) -> History:
    """Hourly counts of whole days before `day` from (series, hour, negative, other).

    A series is covered from its first story on, or from when it was watched, whichever is earlier; `whole` is the
    coverage of hours in which feeds were down.
    """
    end = midnight(day)
    first = min((at for _, at, _, _ in hours), default=end)
    days = min(HISTORY_DAYS, max(1, -(-int((end - first).total_seconds()) // 86400)))
    size = days * 24
    index = {s.id: i for i, (s, _) in enumerate(series)}
    counts = np.zeros((2, len(series), size))
    begun = np.array([_hour(watched, end, size) for _, watched in series])
    for series_id, at, negative, other in hours:
        place = _hour(at, end, size)
        if series_id in index and 0 <= place < size:
            counts[:, index[series_id], place] += (negative, other)
            begun[index[series_id]] = min(begun[index[series_id]], place)
    coverage = (np.arange(size)[None, :] >= begun[:, None]).astype(float)
    for at, part in whole.items():
        if 0 <= (place := _hour(at, end, size)) < size:
            coverage[:, place] *= part
    return History(end, counts[0], counts[1], coverage)


def _hour(at: datetime, end: datetime, size: int) -> int:
    return size + int((at - end).total_seconds() // 3600)
