"""A linear model on runs of tokens beside the network: two readers that err on different texts (Cheng et al. 2016).

Runs of up to three tokens are hashed into tables of small integers (the hashing of fastText, Joulin et al. 2016); a text's
logits are the sum of its runs' rows over the root of their number. The network reads what words mean, the tables
remember which ones stood together: that adds up to a point of accuracy for 1.4 MB (model/LOG.md). They are fitted alone,
by ridge logistic regression, and added to the network's logits only afterwards: a network that learnt beside them would leave
to them what it must learn itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from torch import Tensor, nn

# Stored tables hold for these numbers and this hash: whoever changes one raises the manifest's FORMAT.
#: Longest run of tokens that is looked up.
RUN: Final = 3
#: Shortest one. A single word says what a story is about, but not whether it is good news: "debt cut", "dividend cut".
SHORTEST: Final = {"sentiment": 2, "topics": 1}
#: Rows of the tables; powers of two, so that a row is a hash's last bits.
ROWS: Final = {"sentiment": 1 << 18, "topics": 1 << 15}
#: Odd numbers that spread the bits of a run (the golden ratio, and splitmix64's first multiplier), as signed 64-bit ones.
_SPREAD: Final = -7046029254386353131
_MIX: Final = -4658895280553007687


def runs(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Hashes (B,R) of all runs of up to RUN tokens of ids (B,T), and 1 where each token of the run is in the mask.

    Arithmetic in integers: the same run has the same hash on every device.
    """
    hashes, real = [], []
    width = ids.shape[1]
    spread, whole = torch.zeros_like(ids), torch.ones_like(mask)
    for length in range(1, min(RUN, width) + 1):
        kept = width - length + 1
        spread = (spread[:, :kept] + ids[:, length - 1 :] + 1) * _SPREAD
        whole = whole[:, :kept] * mask[:, length - 1 :]
        mixed = (spread ^ ((spread >> 32) & 0xFFFFFFFF)) * _MIX
        hashes.append((mixed >> 33) & 0x7FFFFFFF)
        real.append(whole)
    return torch.cat(hashes, 1), torch.cat(real, 1)


class Tokens(NamedTuple):
    """A text to learn from: its token ids, and 0 in the mask where a token must say nothing (a company's name)."""

    ids: list[int]
    mask: list[int]


class Wide(nn.Module):
    """Tables of small integers per head; `share` is what their logits count for beside the network's."""

    sentiment: Tensor
    topics: Tensor
    sentiment_scale: Tensor
    topics_scale: Tensor
    share: Tensor

    def __init__(self, tables: dict[str, Tensor], share: float) -> None:
        """`tables`: per head, weights (rows, classes)."""
        super().__init__()
        for head, table in tables.items():
            scale = table.abs().amax().clamp(min=1e-6) / 127
            self.register_buffer(head, (table / scale).round().to(torch.int8))
            self.register_buffer(f"{head}_scale", scale.float())
        self.register_buffer("share", torch.tensor(share))

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> Wide | None:
        """The part that a stored network's tensors describe; None where it has none."""
        tables = {head: state[f"wide.{head}"] for head in ROWS if f"wide.{head}" in state}
        return cls({head: table.float() for head, table in tables.items()}, 0.0) if tables else None

    def table(self, head: str) -> Tensor:
        """Weights (rows, classes) of a head."""
        table: Tensor = getattr(self, head) * getattr(self, f"{head}_scale")
        return table

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Logits (B, classes) per head of padded ids (B,T) and their mask."""
        hashes, real = runs(ids, mask)
        out = {}
        for head in ROWS:
            table: Tensor = getattr(self, head)
            first = _first(head, ids.shape[1])
            kept = real[:, first:]
            # A sum of integers is exact, whatever the order and however long the padding.
            found = table[hashes[:, first:] % table.shape[0]] * kept.to(torch.int8)[..., None]
            length = kept.sum(1, keepdim=True).clamp(min=1).float().sqrt()
            scale = getattr(self, f"{head}_scale") * self.share
            out[head] = found.sum(1, dtype=torch.int32) * scale / length
        return out


def _first(head: str, width: int) -> int:
    """Where the runs that a head reads begin among those of ids (B, width)."""
    return sum(max(0, width - length + 1) for length in range(1, SHORTEST[head]))


def fit_wide(
    texts: Sequence[Tokens],
    targets: dict[str, NDArray[np.float64]],
    weights: NDArray[np.float64],
    share: float,
    strength: float = 20.0,
    prior: Wide | None = None,
    iterations: int = 150,
) -> Wide:
    """The part that fits texts to targets: per head, distributions (N, classes), zeros where nothing is known.

    `weights` is what each text counts for. A `prior` is what its rows are drawn to, in place of zero: texts seen before it
    need not be seen again. `strength` is C of scikit-learn's LogisticRegression: larger fits closer.
    """
    tables = {}
    for head, target in targets.items():
        rows = np.flatnonzero(target.sum(1) > 0)
        start = prior.table(head).numpy() if prior else np.zeros((ROWS[head], target.shape[1]), np.float32)
        features = _features([texts[i] for i in rows.tolist()], head, len(start))
        tables[head] = torch.from_numpy(
            _ridge(features, target[rows], weights[rows], start, strength, iterations)
        )
    return Wide(tables, share)


def _features(texts: Sequence[Tokens], head: str, rows: int) -> csr_matrix:
    """(N, rows): how often each row is looked up by a text, over the root of all its look-ups."""
    indices, counts = [], []
    for text in texts:
        hashes, real = runs(torch.tensor([text.ids]), torch.tensor([text.mask]))
        first = _first(head, len(text.ids))
        indices.append((hashes[:, first:][real[:, first:].bool()] % rows).numpy())
        counts.append(len(indices[-1]))
    ends = np.concatenate([[0], np.cumsum(counts)])
    values = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    columns = np.concatenate(indices) if indices else np.zeros(0, np.int64)
    return csr_matrix((values, columns, ends), shape=(len(texts), rows))


def _ridge(
    features: csr_matrix,
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    start: NDArray[np.float32],
    strength: float,
    iterations: int,
) -> NDArray[np.float32]:
    """Weights (rows, classes) of least cross-entropy plus squared distance from `start`; only rows looked up move."""
    seen = np.unique(features.indices)
    if not len(seen):
        return start
    narrow = features[:, seen]
    across = narrow.T.tocsr()
    origin = start[seen].astype(np.float64)

    def cost(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        moved = flat.reshape(origin.shape)
        logits = narrow @ (origin + moved)
        logits -= logits.max(1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        lost = -(weights[:, None] * target * log_p).sum()
        slope: Any = across @ (weights[:, None] * (np.exp(log_p) - target))
        return lost + (moved**2).sum() / (2 * strength), (slope + moved / strength).ravel()

    found = minimize(
        cost, np.zeros(origin.size), jac=True, method="L-BFGS-B", options={"maxiter": iterations}
    )
    out = start.copy()
    out[seen] = (origin + found.x.reshape(origin.shape)).astype(np.float32)
    return out
