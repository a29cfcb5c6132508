"""One column in two tables: the same bins or labels, and how often each comes."""

from typing import Any, NamedTuple

import numpy as np

from skvae.display._tables import (
    LABEL,
    in_levels,
    kind_of,
    labels_of,
    levels_of,
    numbers_of,
)

N_BINS = 30
TAIL = 0.005  # of real cells on each side go into the first and the last bin
MOST_LABELS = 8


class Distribution(NamedTuple):
    """Shares of the observed cells of a column, (bins,) or (labels,)."""

    kind: str  # "number", "time", "duration" or "label"
    support: Any  # edges of bins, (bins + 1,), of times and durations in days; or labels
    real: np.ndarray
    synthetic: np.ndarray

    @property
    def difference(self) -> float:
        """Total variation distance: the share of cells that would have to move, from 0 to 1."""
        return float(np.abs(self.real - self.synthetic).sum() / 2)


def distribution(real: Any, synthetic: Any) -> Distribution:
    """Of one column, by what the real one holds."""
    kind = kind_of(real)
    if kind == LABEL:
        cells = labels_of(real), labels_of(synthetic)
        support: Any = levels_of(*cells, most=MOST_LABELS)
        shares = (_shares(in_levels(labels, support), len(support)) for labels in cells)
    else:
        cells = numbers_of(real), numbers_of(synthetic)
        support = _edges(cells[0][np.isfinite(cells[0])])
        shares = (_shares(_in_bins(numbers, support), len(support) - 1) for numbers in cells)
    return Distribution(kind, support, *shares)


def _edges(numbers: np.ndarray) -> np.ndarray:
    """Of bins, whose width is whole for whole numbers."""
    low, high = np.quantile(numbers, [TAIL, 1 - TAIL]) if len(numbers) else (0, 0)
    if (numbers == np.round(numbers)).all():
        width = max(1, np.ceil((high - low + 1) / N_BINS))
        return np.arange(np.floor(low), high + width + 1, width) - 0.5
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    return np.linspace(low, high, N_BINS + 1)


def _in_bins(numbers: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each number, the first and the last for those beyond; -1 in holes."""
    return np.where(np.isnan(numbers), -1, np.searchsorted(edges[1:-1], numbers, side="right"))


def _shares(places: np.ndarray, n: int) -> np.ndarray:
    """How often each of n places comes, among those that are one."""
    counts = np.bincount(places[places >= 0], minlength=n)
    return counts / max(1, counts.sum())
