"""A baseline between the night that makes it and the ticks that use it: as parameters to read, and packed. Pure.

The parameters of each series are JSON for people and SQL. A tick needs all of them at once, so the same numbers lie
beside them as one file of arrays: reading that takes a twentieth of the time.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.detect.baseline import Baseline, from_parameters, unknown_series

# Negative share of financial news where nothing was counted yet.
USUAL_SHARE = 0.25
_ARRAYS = tuple(f.name for f in fields(Baseline) if f.name != "as_of")


@dataclass(frozen=True)
class Night:
    """A baseline with rows for `series_ids`, and what belongs to all of them.

    `brought` [N, 3]: series id, feed id, stories that the feed brought it in four weeks; `feed_ids`: feeds that were
    polled; `share`: negative share of everything, for a series that has no row.
    """

    id: int
    model_version_id: int
    stories: int
    share: float
    feed_ids: tuple[int, ...]
    series_ids: NDArray[np.int64]
    baseline: Baseline
    brought: NDArray[np.int64]

    @property
    def day(self) -> date:
        """The UTC day it was made for."""
        return self.baseline.as_of.date()

    def rows_of(self, series_ids: Sequence[int]) -> Baseline:
        """The baseline in the order of `series_ids`; a series that has no row is unknown."""
        place = {int(series_id): n for n, series_id in enumerate(self.series_ids)}
        rows = np.array([place.get(series_id, -1) for series_id in series_ids], dtype=int)
        unknown = from_parameters(self.baseline.as_of, [unknown_series(self.share)])
        found = {}
        for name in _ARRAYS:
            # the unknown series is the last row, where -1 looks
            found[name] = np.concatenate([getattr(self.baseline, name), getattr(unknown, name)])[rows]
        return replace(self.baseline, **found)


class StoredNight(Protocol):
    """What the database holds of a night: `packed`, or else `parameters` by series id."""

    @property
    def id(self) -> int: ...
    @property
    def built_for(self) -> date: ...
    @property
    def model_version_id(self) -> int: ...
    @property
    def pooled(self) -> Mapping[str, Any]: ...
    @property
    def packed(self) -> bytes | None: ...
    @property
    def parameters(self) -> Mapping[int, Mapping[str, Any]]: ...


def read_night(stored: StoredNight) -> Night:
    """The night as stored: from its packed arrays, or from the parameters of its series where there are none."""
    read = _unpack(stored.packed, stored.built_for) if stored.packed else None
    series_ids, baseline, brought = read or _from_parameters(stored.parameters, midnight(stored.built_for))
    return Night(
        stored.id,
        stored.model_version_id,
        int(stored.pooled.get("stories", 0)),
        float(stored.pooled.get("share", USUAL_SHARE)),
        tuple(int(feed) for feed in stored.pooled.get("feeds", ())),
        series_ids,
        baseline,
        brought,
    )


def pack(parameters: Mapping[int, Mapping[str, Any]], day: date) -> bytes:
    """The arrays of these parameters as one file, for `read_night`."""
    series_ids, baseline, brought = _from_parameters(parameters, midnight(day))
    file = io.BytesIO()
    arrays = {name: getattr(baseline, name) for name in _ARRAYS}
    np.savez(file, allow_pickle=False, series_ids=series_ids, brought=brought, **arrays)
    return file.getvalue()


def midnight(day: date) -> datetime:
    """Start of a UTC day."""
    return datetime.combine(day, time(0), UTC)


def _unpack(packed: bytes, day: date) -> tuple[NDArray[np.int64], Baseline, NDArray[np.int64]]:
    with np.load(io.BytesIO(packed), allow_pickle=False) as file:
        arrays = {name: file[name] for name in _ARRAYS}
        return file["series_ids"], Baseline(midnight(day), **arrays), file["brought"]


def _from_parameters(
    parameters: Mapping[int, Mapping[str, Any]], as_of: datetime
) -> tuple[NDArray[np.int64], Baseline, NDArray[np.int64]]:
    brought = [
        (series_id, int(feed), int(number))
        for series_id, own in parameters.items()
        for feed, number in own.get("feeds", {}).items()
    ]
    # one unknown series too many, dropped again: arrays keep their shape where there is none at all
    rows = [*parameters.values(), unknown_series(USUAL_SHARE)]
    whole = from_parameters(as_of, rows)
    baseline = replace(whole, **{name: getattr(whole, name)[:-1] for name in _ARRAYS})
    series_ids = np.array(list(parameters), dtype=np.int64)
    return series_ids, baseline, np.array(brought, dtype=np.int64).reshape(-1, 3)
