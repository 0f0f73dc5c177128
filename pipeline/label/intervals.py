"""How sure a share is."""

from __future__ import annotations

import math


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of the share right / n (Wilson 1927), 0 to 1; holds for few, too. All shares are possible where n is 0."""
    if n == 0:
        return (0.0, 1.0)
    share, z2 = right / n, z * z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
