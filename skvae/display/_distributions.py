"""One column in two tables: the same bins or labels, and how often each comes."""

from typing import Any, NamedTuple

import numpy as np

from skvae.display._tables import LABEL, in_levels, kind_of, labels_of, levels_of, numbers_of

N_BINS = 30
TAIL = 0.005  # of real cells on each side lie beyond the bins, in one of their own
SAME, FINE = 1e-12, 1e-3  # of a number, and of all real ones: so near to a constant is no matter
MOST_LABELS = 8


class Distribution(NamedTuple):
    """Shares of the observed cells of a column, (bins,) or (labels,)."""

    kind: str  # "number", "time", "duration" or "label"
    support: Any  # edges of bins, (bins + 1,), of times and durations in days; or labels
    real: np.ndarray
    synthetic: np.ndarray

    @property
    def difference(self) -> float:
        """Total variation distance: the share of cells that would have to move, from 0 to 1.

        1 where one of both has no observed cell.
        """
        return 1.0 if self.empty else float(np.abs(self.real - self.synthetic).sum() / 2)

    @property
    def empty(self) -> str:
        """The table that has no observed cell, where the other has some."""
        if self.real.any() == self.synthetic.any():
            return ""
        return "synthetic" if self.real.any() else "real"


def distribution(real: Any, synthetic: Any) -> Distribution:
    """Of one column, by what the real one holds."""
    kind = kind_of(real)
    if kind == LABEL:
        cells = labels_of(real, synthetic)
        support: Any = levels_of(*cells, most=MOST_LABELS)
        shares = (_shares(in_levels(labels, support), len(support)) for labels in cells)
    else:
        cells = [numbers_of(real), _numbers_like(synthetic, kind)]
        support = _edges(*cells)
        shares = (_shares(_in_bins(numbers, support), len(support) - 1) for numbers in cells)
    return Distribution(kind, support, *shares)


def _numbers_like(column: Any, kind: str) -> np.ndarray:
    """A synthetic column as numbers, if it holds what the real one does."""
    try:
        if kind_of(column) in (kind, LABEL):  # labels may be numbers: True, and nothing at all
            return numbers_of(column)
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"Column {column.name!r} holds {kind}s in the real table, but other cells in the synthetic "
        "one; give it the same kind of values in both."
    )


def _edges(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Of bins over nearly all real numbers, and of one on each side where some lie beyond."""
    edges = _inner_edges(*(cells[np.isfinite(cells)] for cells in (real, synthetic)))
    both = np.concatenate([real, synthetic])
    below = 2 * edges[:1] - edges[1:2] if (both < edges[0]).any() else []
    above = 2 * edges[-1:] - edges[-2:-1] if (both >= edges[-1]).any() else []
    return np.concatenate([below, edges, above])


def _inner_edges(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Of bins without the tails, whose width is whole for whole numbers; of one for a constant."""
    own = real if len(real) else synthetic if len(synthetic) else np.zeros(1)
    low, high = np.quantile(own, [TAIL, 1 - TAIL])
    whole = (own == np.round(own)).all()
    if low == high:
        same = max(SAME * abs(low), FINE * np.ptp(own) if not whole else min(0.5, np.ptp(own)))
        distances = np.abs(np.concatenate([real, synthetic]) - low)
        others = distances[distances > same]
        return low + max(same, others.min() / 2 if len(others) else 0.5) * np.array([-1, 1])
    if whole:
        width = max(1, np.ceil((high - low + 1) / N_BINS))
        return np.arange(np.floor(low), high + width + 1, width) - 0.5
    return np.linspace(low, np.nextafter(high, np.inf), N_BINS + 1)


def _in_bins(numbers: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each number, the first and the last for those beyond; -1 in holes."""
    return np.where(np.isnan(numbers), -1, np.searchsorted(edges[1:-1], numbers, side="right"))


def _shares(places: np.ndarray, n: int) -> np.ndarray:
    """How often each of n places comes, among those that are one."""
    counts = np.bincount(places[places >= 0], minlength=n)
    return counts / max(1, counts.sum())
