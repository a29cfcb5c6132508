"""What the maps of a column's numbers to cells have in common: how they look at its ends."""

from typing import Any, Protocol

import numpy as np

FAR = 10.0  # values at an end are far if so many times farther from the others than these reach
FEW = 5, 0.005, 0.05  # values that may be: so many, or a share of all if more; and at most a share


class Placement(Protocol):
    """A map of a column's numbers to cells that is no scaling."""

    @property
    def n_slots(self) -> int:
        """Slots that cells may fall into."""

    @property
    def atoms(self) -> Any:
        """Values that have a probability."""

    @property
    def near(self) -> tuple[float, float]:
        """Ends of the values but for a few that are far from all others."""

    def encode(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of values, and log |d cell / dX| of each."""

    def decode(self, cells: np.ndarray) -> np.ndarray:
        """Values of cells."""

    def points(self) -> np.ndarray:
        """Values that the likelihood makes its points of, none of them far."""


def near_ends(X: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest of ascending values, but for a few far from all others."""
    return -_last_near(-X[::-1]), _last_near(X)


def without_ends(X: np.ndarray, min_count: int) -> np.ndarray:
    """Values without those that fewer than `min_count` lie at or beyond; of few the mean."""
    if min_count == 1:
        return X
    if len(X) < 2 * min_count:
        middle = X.min() + ((X - X.min()) / len(X)).sum()  # the sum of X may overflow
        whole = (np.floor(X) == X).all()
        return np.full(len(X), np.rint(middle) if whole else middle)
    return np.sort(X)[min_count - 1 : len(X) - min_count + 1]


def merged(edges: np.ndarray, X: np.ndarray, min_count: int) -> np.ndarray:
    """Those edges between which at least `min_count` values lie: ties may leave a bin fewer."""
    if min_count == 1 or not len(edges):
        return edges
    below, kept = np.searchsorted(np.sort(X), edges), [0]
    below[-1] = len(X)
    for i in range(1, len(edges) - 1):
        if min(below[i] - below[kept[-1]], below[-1] - below[i]) >= min_count:
            kept.append(i)
    return edges[[*kept, -1]]


def n_far(n: int) -> int:
    """How many of n values may be far at an end."""
    rows, share, most = FEW
    return int(min(max(rows, share * n), most * n))


def _last_near(X: np.ndarray) -> float:
    """The largest of ascending values, but for a few far from all but as few at the other end."""
    few = n_far(len(X))
    ends = X[len(X) - few - 1 :]
    with np.errstate(over="ignore"):
        reach = ends[:-1] - X[few]
        far = np.flatnonzero((np.diff(ends) / FAR > reach) & (reach > 0))
    return float(ends[far[0]] if len(far) else ends[-1])
