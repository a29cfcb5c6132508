"""Which sums of a table's columns tell more of one of them than any other column does."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy.stats import rankdata

from skvae._shares import smoothed
from skvae.likelihoods._base import Grid, mean_and_deviation
from skvae.table._columns import Feature
from skvae.table._input import Rows
from skvae.table._sums import Member, Sum, Sums

MEANINGS = ("integer", "float"), ("datetime", "duration")  # that may be added up
FEWEST_SLOTS = 10  # of a column that may be in a sum
MOST_ROWS, FEWEST_ROWS = 10_000, 100  # that are looked at
NEAR, MANY = 4, 12  # columns that are looked at for a sum of two, and of more
ALIKE = 0.3  # correlation of ranks from which on two columns may be in a sum
GAIN = 0.15  # nats a row that a sum tells more than a column: tables of few rows do so by chance
MIDDLE, NARROW = (0.05, 0.95), 0.9  # how much narrower than a column its sum has to be
WHOLE = 0.1  # how far a coefficient may be from -1, 0, or 1
LOOK, FINEST = 1e-3, 1e-9  # units in scales of a column that has none, of a look and in the end
FEW = 0.5  # pseudo-count of a slot


def found(rows: Rows, features: list[Feature], order: np.ndarray, min_count: int) -> Sums:
    """The sums of a table, whose features come in the order of cells, as `order` has columns."""
    cells = [cell for cell, feature in enumerate(features) if _may_be_in_sums(feature)]
    cells = [cell for cell in cells if _is_like(features[cell], features[cells[0]])]
    some, sums = np.random.default_rng(0).permutation(rows.n)[:MOST_ROWS], []

    def group(members: list[Member], places: Any = slice(None)) -> _Group:
        columns = [rows.column(int(order[m.cell])).take(places) for m in members]
        read = [features[m.cell].read(x) for m, x in zip(members, columns, strict=True)]
        return _Group(members, np.stack(read, axis=1), min_count)

    for meanings in MEANINGS:
        own = [cell for cell in cells if features[cell].dtype.meaning in meanings]
        looked_at = [Member.of(cell, features[cell]) for cell in own]
        for signs in group(looked_at, some).sums() if len(own) > 1 else ():
            members = [looked_at[i] for i in signs]
            sums.append(group(members).sum(dict(enumerate(signs.values())), FINEST))
    return Sums(tuple(sorted(sums, key=lambda own: own.cells[-1])))


def _may_be_in_sums(feature: Feature) -> bool:
    """Whether it has a grid, and its values are multiples of something if some repeat."""
    grid = feature.placement
    if grid is None or grid.n_slots < FEWEST_SLOTS:
        return False
    return feature.format.resolution > 0 or not len(grid.atoms)


def _is_like(feature: Feature, other: Feature) -> bool:
    return type(feature.likelihood) is type(other.likelihood)


class _Group:
    """Columns that may be added up."""

    def __init__(self, members: list[Member], numbers: np.ndarray, min_count: int):
        self.members, self.numbers, self.min_count = members, numbers, min_count
        ranks = rankdata(numbers, axis=0, nan_policy="omit")
        ranks -= np.nansum(ranks, axis=0) / np.maximum((~np.isnan(ranks)).sum(axis=0), 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.alike = np.nan_to_num(np.corrcoef(np.nan_to_num(ranks), rowvar=False))

    def sums(self) -> list[dict[int, int]]:
        """Signs of the best sum for each column, where it tells more than another column."""
        kept, free = [], [0]  # columns that are no sums of those before
        for j in range(1, len(self.members)):
            options = filter(self._is_narrow, self._options(j, free))
            costs = [(self._cost(signs), i, signs) for i, signs in enumerate(options)]
            if costs and min(costs)[0] < self._cost_by_column(j) - GAIN:
                kept.append(min(costs)[2])
            else:
                free.append(j)
        return kept

    def _is_narrow(self, signs: dict[int, int]) -> bool:
        """Whether a sum differs less from row to row than its last column."""
        both = self._last_and_total(signs)
        if len(signs) < 2 or len(both[0]) < FEWEST_ROWS:
            return False
        own, total = (np.diff(np.quantile(numbers, MIDDLE)) for numbers in both)
        return bool(total < NARROW * own)

    def _options(self, j: int, free: list[int]) -> Iterator[dict]:
        """Signs of columns that make a sum with the j-th, which comes last."""
        for i in self._near(j, range(j), NEAR):
            yield {i: int(-np.sign(self.alike[i, j])), j: 1}
        for others in dict.fromkeys((tuple(free), tuple(range(j)))):  # mostly the same
            yield self._regression(j, sorted(self._near(j, others, MANY, 0.0)))

    def _near(self, j: int, others: Iterable[int], most: int, least: float = ALIKE) -> list[int]:
        """The columns most like the j-th."""
        others = sorted(others, key=lambda i: -abs(self.alike[i, j]))[:most]
        return [i for i in others if abs(self.alike[i, j]) > least]

    def _rows(self, columns: list[int]) -> np.ndarray:
        """Those in which none of these columns is missing."""
        rows = self.numbers[:, columns]
        with np.errstate(over="ignore", invalid="ignore"):
            return rows[np.isfinite(abs(rows).sum(axis=1))]

    def _regression(self, j: int, others: list[int]) -> dict[int, int]:
        """Signs of the columns of which the j-th is a sum but for noise; its own if it is none."""
        rows = self._rows([*others, j])
        if len(rows) < max(FEWEST_ROWS, 2 * len(others)):
            return {j: 1}
        coefficients = _coefficients(rows)
        signs = np.rint(coefficients)
        if not (abs(coefficients - signs) < WHOLE).all() or (abs(signs) > 1).any():
            return {j: 1}
        return {i: -int(sign) for i, sign in zip(others, signs, strict=True) if sign} | {j: 1}

    def sum(self, signs: dict[int, int], finest: float) -> Any:
        """The sum of columns with these signs, if the last of them has the finest numbers."""
        members, (_, total) = [self.members[i] for i in signs], self._last_and_total(signs)
        if min(member.resolution for member in members) < (last := members[-1]).resolution:
            return None
        unit = last.resolution or finest * last.scale
        grid: Any = last.likelihood.placement(np.rint(total / unit), self.min_count)
        return Sum(tuple(members), tuple(signs.values()), unit, grid)

    def _last_and_total(self, signs: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """The last of some columns, and their sum with signs, of rows that have them all."""
        rows = self._rows(list(signs))
        return rows[:, -1], rows @ np.array(list(signs.values()))

    def _cost(self, signs: dict[int, int]) -> float:
        """What the last column costs, in nats a row, where it is told through a sum."""
        own = self.sum(signs, LOOK)
        if own is None:
            return np.inf
        last, total = self._last_and_total(signs)
        density = 1 - np.isin(last, own.members[-1].grid.atoms).mean()
        return _cost(own.grid, np.rint(total / own.unit)) + np.log(own.unit) * density

    def _cost_by_column(self, j: int) -> float:
        """What a column costs given the best of the others."""
        alone = _cost(self.members[j].grid, self._rows([j])[:, 0])
        near = self._near(j, set(range(len(self.members))) - {j}, NEAR)
        return alone - max((self._gain(i, j) for i in near), default=0.0)

    def _gain(self, i: int, j: int) -> float:
        """Nats that a column tells of another."""
        grids = [self.members[k].grid for k in (i, j)]
        codes = [_codes(*own) for own in zip(grids, self._rows([i, j]).T, strict=True)]
        counts = np.zeros([grid.n_slots for grid in grids])
        np.add.at(counts, tuple(codes), 1)
        return max(0.0, smoothed(counts, counts.sum(axis=0))[0])


def _coefficients(rows: np.ndarray) -> np.ndarray:
    """Of the columns but for the last, of which this is a sum by least squares."""
    center, scale = np.array([mean_and_deviation(column) for column in rows.T]).T
    standard = (rows - center) / scale
    found = np.linalg.lstsq(standard[:, :-1], standard[:, -1], rcond=None)[0]
    return found * scale[-1] / scale[:-1]


def _codes(grid: Grid, numbers: np.ndarray) -> np.ndarray:
    return grid.encode(numbers)[0].astype(np.intp)


def _cost(grid: Grid, numbers: np.ndarray) -> float:
    """What numbers cost on a grid, in nats a row, each left out in turn."""
    counts, n = np.bincount(_codes(grid, numbers), minlength=grid.n_slots), len(numbers)
    shares = (counts - 1 + FEW) / (n - 1 + FEW * grid.n_slots)
    return -float(counts @ (np.log(np.maximum(shares, 1e-12)) + grid.slopes())) / n
