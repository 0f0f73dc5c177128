"""How new a story is for a company: the share of its shingles not seen for it lately. Pure, with a memory passed in."""

from collections.abc import Iterable
from datetime import datetime, timedelta

# Shares over these horizons go to story_novelties, in this order.
HORIZONS = (timedelta(hours=12), timedelta(hours=24), timedelta(days=3), timedelta(days=5), timedelta(days=7))


class SeenShingles:
    """When each shingle was last seen, for one company; `at` must not go back by more than the horizons matter."""

    def __init__(self) -> None:
        self._last_seen: dict[int, datetime] = {}

    def novelty(self, found: frozenset[int], at: datetime) -> tuple[float, ...]:
        """Share of `found` not seen within each horizon before `at`, each in [0, 1]; 1.0 for an empty set."""
        if not found:
            return (1.0,) * len(HORIZONS)
        ages = [at - seen for seen in map(self._last_seen.get, found) if seen is not None and seen <= at]
        return tuple(1.0 - sum(age < horizon for age in ages) / len(found) for horizon in HORIZONS)

    def add(self, found: Iterable[int], at: datetime) -> None:
        """Remember that these shingles were seen at `at`."""
        for shingle in found:
            last = self._last_seen.get(shingle)
            if last is None or last < at:
                self._last_seen[shingle] = at

    def forget(self, before: datetime) -> None:
        """Drop what no horizon can reach, so that an import of years stays small."""
        self._last_seen = {shingle: seen for shingle, seen in self._last_seen.items() if seen >= before}
