"""Slots on the real line: bins, and single values that repeat."""

from dataclasses import dataclass

import numpy as np

from skvae.likelihoods._placement import merged, near_ends, without_ends

INSIDE = 1 - 2.0**-12  # largest share of a slot: code + share stays below the next code in float32
TAIL = 10  # fewest values in the bins that the outermost ones are split into
LARGEST = np.finfo(np.float64).max
REPEATS = 5  # a value found less often than this is no atom, however short the column


@dataclass(frozen=True)
class Grid:
    """Bins that touch, and atoms: values that make up a share of a column by themselves.

    A value becomes the code of its slot plus how far into the slot it lies; bins come
    first. A value outside of all slots goes to the nearest one. Either side of the first
    and last bin, or of each atom where there are no bins, holds a small share of that slot's
    probability, so that the whole is a density, with atoms, on the whole real line.
    """

    edges: np.ndarray  # of the bins, (bins + 1,), or (0,) where there are atoms alone
    atoms: np.ndarray  # ascending
    beside: float  # share of a slot's probability on either of its sides
    whole: bool  # whether the values are whole numbers
    near: tuple[float, float]  # ends of the values but for a few that are far from all others

    @classmethod
    def learn(cls, X: np.ndarray, n_bins: int, min_share: float, min_count: int = 1) -> "Grid":
        """The grid of a column: bins between quantiles, and atoms of at least `min_share`.

        A few values that lie far from all others, as typing errors of many digits do, have a bin
        of their own at their end, which no others share. Edges have `min_count` values beyond or
        between them, and atoms as many.
        """
        X = np.sort(without_ends(X, min_count))
        values, counts = np.unique(X, return_counts=True)
        whole = bool((np.floor(values) == values).all())
        few = whole and len(values) <= 2 * n_bins
        often = counts >= max(min_share * len(X), REPEATS, min_count)
        is_atom = counts >= min_count if few or (~often).sum() < 2 else often
        if (~is_atom).sum() < 2:  # a single value that is rarer goes to the nearest
            kept = is_atom if is_atom.any() else ~is_atom
            values, counts, is_atom = values[kept], counts[kept], kept[kept]
        near = near_ends(X)
        rest = _between_atoms(values, counts, is_atom, min_count)
        edges, atoms = _edges(_within(rest, near), n_bins, min_count), values[is_atom]
        if whole and len(edges):
            edges = _of_whole(edges, _within(values, near), _within(atoms, near))
            atoms, rest = atoms[:0], X
        edges = merged(edges, _within(rest, near), min_count)
        edges = _with_far(edges, rest, 0.5 * whole)
        return cls(edges, atoms, 0.5 / (len(X) + 1), whole, near)

    @property
    def n_bins(self) -> int:
        return max(len(self.edges) - 1, 0)

    @property
    def n_slots(self) -> int:
        return self.n_bins + len(self.atoms)

    def encode(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places on the grid, code + share of the slot, and log |d place / dX|, of each value."""
        places, log_slope = self._in_bins(X) if self.n_bins else self._around_atoms(X)
        at = np.searchsorted(self.atoms, X)
        is_atom = np.append(self.atoms, np.nan)[at] == X
        log_share = 0.0 if self.n_bins else np.log1p(-2 * self.beside)
        places = np.where(is_atom, self.n_bins + at + 0.5, places)
        return places, np.where(is_atom, log_share, log_slope)

    def decode(self, places: np.ndarray) -> np.ndarray:
        """Values at places on the grid."""
        values = self._values(places)
        return np.rint(values) if self.whole else values

    def means(self) -> np.ndarray:
        """The mean of each slot, (n_slots,)."""
        return self._values(np.arange(self.n_slots) + 0.5)

    def points(self) -> np.ndarray:
        """What a column expects of each slot, (n_slots,): far ones count as the next to them."""
        return self.means().clip(*self.near)

    def slopes(self) -> np.ndarray:
        """log |d place / dX| in each slot, (n_slots,)."""
        return self.encode(self.means())[1]

    def beyond(self, X: np.ndarray) -> np.ndarray:
        """What log |d place / dX| of values has beyond that: not 0 where they are in no slot."""
        places, log_slope = self.encode(X)
        return log_slope - self.slopes()[places.astype(np.intp)]

    def _values(self, places: np.ndarray) -> np.ndarray:
        code = places.astype(np.intp)
        low = np.append(self.edges[:-1], self.atoms)
        width = np.append(np.diff(self.edges), 0 * self.atoms)
        return low[code] + width[code] * (places - code)

    def _in_bins(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        i = np.searchsorted(self.edges[1:-1], X, side="right")
        width = np.diff(self.edges)
        with np.errstate(over="ignore"):  # clipped
            share = (X - self.edges[i]) / width[i]
        bins = np.arange(self.n_bins)
        sides = (bins == 0).astype(int) + (bins == self.n_bins - 1)
        log_slope = (np.log1p(-self.beside * sides) - np.log(width))[i]
        return i + share.clip(0.0, INSIDE), self._with_tails(X, log_slope)

    def _around_atoms(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        half = np.diff(self.atoms) / 2
        i = np.searchsorted(self.atoms[:-1] + half, X)
        left, right = np.append(1.0, half), np.append(half, 1.0)
        width = np.where(self.atoms[i] > X, left[i], right[i])
        log_slope = np.log(self.beside) - np.log(width)
        return i + 0.5, self._with_tails(X, log_slope)

    def _with_tails(self, X: np.ndarray, log_slope: np.ndarray) -> np.ndarray:
        """Beyond the grid the density falls as the square of the distance, from one width of it on.

        So one far value costs the logarithm of how far it is, and does not outweigh all others.
        """
        ends = self.edges if self.n_bins else self.atoms
        scale = (ends[-1] - ends[0]) or 1.0
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # holes too
            beyond = np.maximum(ends[0] - X, X - ends[-1]).clip(0, LARGEST)
            log_scale, log_beyond = np.log(scale), np.log(beyond)
            log_tail = np.log(self.beside) + log_scale - 2 * np.logaddexp(log_scale, log_beyond)
        return np.where(beyond > 0, log_tail, log_slope)


def _between_atoms(
    values: np.ndarray, counts: np.ndarray, is_atom: np.ndarray, min_count: int
) -> np.ndarray:
    """What bins are made of; if there are atoms too, its ends are no single rows' values either."""
    rest = np.repeat(values[~is_atom], counts[~is_atom])
    if min_count == 1 or not is_atom.any():
        return rest
    rest = without_ends(rest, min_count) if len(rest) >= 2 * min_count else rest[:0]
    return rest if len(rest) and rest[0] < rest[-1] else rest[:0]


def _within(X: np.ndarray, near: tuple[float, float]) -> np.ndarray:
    """The values that are not far, if they are several."""
    within = X[(near[0] <= X) & (near[1] >= X)]
    return within if len(np.unique(within)) > 1 else X


def _of_whole(edges: np.ndarray, values: np.ndarray, atoms: np.ndarray) -> np.ndarray:
    """Edges of bins of whole numbers, those of one number among them."""
    outermost = values[[0, -1]] + [-0.5, 0.5]
    ends = [np.ceil(edges[:-1]) - 0.5, outermost, atoms - 0.5, atoms + 0.5]
    return np.unique(np.concatenate(ends))


def _with_far(edges: np.ndarray, X: np.ndarray, half: float) -> np.ndarray:
    """Edges with one more bin at an end beyond which values lie."""
    if len(edges) and X.max() > edges[-1]:
        edges = np.append(edges[:-1], [np.nextafter(edges[-1], np.inf), X.max() + half])
    if len(edges) and X.min() < edges[0]:
        edges = np.append(X.min() - half, edges)
    return edges


def _edges(rest: np.ndarray, n_bins: int, min_count: int) -> np.ndarray:
    """Edges of bins that hold about as many values each; fewer towards the ends, which are thin."""
    if not len(rest):
        return rest
    if min_count > 1:
        n_bins = max(1, min(n_bins, len(rest) // min_count))
    tail = 0.5 ** np.arange(1, 5) / n_bins
    tail = tail[tail * len(rest) >= max(TAIL, min_count)]
    shares = np.concatenate([np.linspace(0, 1, n_bins + 1), tail, 1 - tail])
    return np.unique(np.quantile(rest, shares))
