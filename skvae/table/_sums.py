"""Sums of columns: an end is its start and how long it took, a total all that it is made of.

A cell that is known to the bin from another one is not known to the day. Where the sum of some
columns, with signs, tells more of one of them than any other column does, it is a cell of its own,
on a grid of its own, through which the last of these columns is told.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skvae.likelihoods._base import Column, Grid, Likelihood
from skvae.table._columns import Feature


class Member(NamedTuple):
    """A column that is in sums, as a cell."""

    cell: int
    likelihood: Likelihood
    grid: Grid
    resolution: float  # what its numbers are multiples of; 0 for any
    ends: tuple[float, float]  # beyond which its numbers do not go
    center: float
    scale: float

    @classmethod
    def of(cls, cell: int, feature: Feature) -> "Member":
        how, times = feature.format, feature.dtype.meaning in ("datetime", "duration")
        ends = (-np.inf, np.inf) if times else (float(how.low), float(how.high))
        grid: Any = feature.placement  # of a histogram
        own = feature.likelihood, grid, how.resolution
        return cls(cell, *own, ends, feature.center, feature.scale)

    def numbers(self, places: np.ndarray) -> np.ndarray:
        """Numbers at places on its grid, as they come back."""
        return self.rounded(self.grid.decode(places))

    def rounded(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers that the column may have."""
        step = self.resolution
        return (np.rint(numbers / step) * step if step else numbers).clip(*self.ends)


@dataclass(frozen=True)
class Sum:
    """A sum of columns, each taken once with a sign, in whole units."""

    members: tuple[Member, ...]  # in the order of cells
    signs: tuple[int, ...]
    unit: float
    grid: Grid

    @property
    def cells(self) -> tuple[int, ...]:
        return tuple(member.cell for member in self.members)

    def tells(self, i: int) -> bool:
        """Whether the i-th member may be told through it: not one of coarser numbers."""
        return self.members[i].resolution == self.members[-1].resolution

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The sum in units of rows (n, cells), (n,); NaN where a member is missing."""
        return np.rint(self.others(None, numbers) / self.unit)

    def placed(self, numbers: np.ndarray) -> np.ndarray:
        """Places on its grid of rows (n, cells), (n,), NaN where a member is missing."""
        return _where_known(self.of(numbers), lambda total: self.grid.encode(total)[0])

    def beyond(self, numbers: np.ndarray) -> np.ndarray:
        """What log |d place / dX| of rows has beyond the slopes, (n,)."""
        total, last = self.of(numbers), self.members[-1]
        own = np.where(np.isnan(total), np.nan, numbers[:, last.cell])
        of_both = _where_known(total, self.grid.beyond) - _where_known(own, last.grid.beyond)
        return np.nan_to_num(of_both)

    def solved(self, i: int, numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The number of the i-th member, given those of the others and places of the sum."""
        left = self.at(places) - self.others(i, numbers)
        return self.members[i].rounded(self.signs[i] * left)

    def at(self, places: np.ndarray) -> np.ndarray:
        """The sum at places on its grid."""
        return self.unit * self.grid.decode(places)

    def of_points(self, i: int, numbers: np.ndarray) -> tuple[np.ndarray, float]:
        """Shift and slope that make points of the sum those of a member, given the others."""
        member, sign = self.members[i], self.signs[i]
        shift = (-sign * self.others(i, numbers) - member.center) / member.scale
        return shift, sign * self.members[-1].scale / member.scale

    def others(self, i: int | None, numbers: np.ndarray) -> Any:
        """The sum of all members but the i-th, or of all, (n,)."""
        both = zip(self.signs, self.members, strict=True)
        return sum(s * numbers[:, m.cell] for k, (s, m) in enumerate(both) if k != i)

    def slopes(self) -> list[np.ndarray]:
        """log |d place / d place of a member|, in parts: by the slot of the sum, of each member.

        A member's value that repeats counts with its probability, in whichever way it is told.
        """
        log_unit, own = np.log(self.unit), self.grid.slopes()
        atoms = [np.arange(m.grid.n_slots) >= m.grid.n_bins for m in self.members]
        each = [a * log_unit - m.grid.slopes() for a, m in zip(atoms, self.members, strict=True)]
        return [own - log_unit, *each]

    def column(self) -> Column:
        """What a likelihood is told of it; means are in scales of the last member."""
        return Column(self.grid.n_slots, self.unit * self.grid.means() / self.members[-1].scale)


@dataclass(frozen=True)
class Sums:
    """The sums of a table's columns, whose cells come after those of the columns."""

    sums: tuple[Sum, ...] = ()

    def __len__(self) -> int:
        return len(self.sums)

    def columns(self) -> list[Column]:
        """What the likelihood of their cells is told of each."""
        return [own.column() for own in self.sums]

    @property
    def likelihood(self) -> Likelihood:
        """That of their cells."""
        return self.sums[0].members[-1].likelihood

    def telling(self) -> tuple[tuple[tuple[int, bool], ...], ...]:
        """The cells of each, and whether they may be told through it."""
        return tuple(tuple((c, own.tells(i)) for i, c in enumerate(own.cells)) for own in self.sums)

    def placed(self, numbers: np.ndarray) -> np.ndarray:
        """Cells of rows of numbers (n, cells), (n, sums)."""
        return np.stack([own.placed(numbers) for own in self.sums], axis=1)

    def beyond(self, numbers: np.ndarray) -> Any:
        """What is added to log |dx / dX| of rows where they are told through sums, (n,)."""
        return sum(own.beyond(numbers) for own in self.sums)

    def ways(self, cell: int, x: np.ndarray, rows: np.ndarray) -> Iterator[tuple]:
        """Ways in which a cell of some rows is told: a sum, as its i-th member, and which rows.

        Sums that have it last come first, then those that have it at all; None stands for its own
        distribution. What is known before is no NaN in x (n, cells).
        """
        for _, k, i in sorted(self._having(cell)):
            others: Any = [other for other in self.sums[k].cells if other != cell]
            known = ~np.isnan(x[np.ix_(rows, others)]).any(axis=1)
            if known.any():
                yield k, i, rows[known]
                rows = rows[~known]
        if len(rows):
            yield None, 0, rows

    def completed(self, cell: int, x: np.ndarray, rows: np.ndarray) -> Iterator[tuple]:
        """Sums of some rows that a cell was the last to complete, as x (n, cells) has them."""
        for k, own in enumerate(self.sums):
            if cell in own.cells:
                cells: Any = own.cells
                known = ~np.isnan(x[np.ix_(rows, cells)]).any(axis=1)
                known &= np.isnan(x[rows, x.shape[1] - len(self) + k])
                if known.any():
                    yield k, rows[known]

    def _having(self, cell: int) -> Iterator[tuple[bool, int, int]]:
        """Of sums through which a cell may be told: whether it is not the last, which, where."""
        for k, own in enumerate(self.sums):
            if cell in own.cells and own.tells(i := own.cells.index(cell)):
                yield own.cells[-1] != cell, k, i

    def numbers(self, x: np.ndarray) -> np.ndarray:
        """What cells in sums stand for, (n, cells): NaN in holes, and where cells are in no sum."""
        found = np.full(x.shape, np.nan) if self else np.empty((len(x), 0))
        for cell, member in self.members().items():
            found[:, cell] = _where_known(x[:, cell], member.numbers)
        return found

    def members(self) -> dict[int, Member]:
        """The columns that are in sums, by their cells, in the order of these."""
        found = {member.cell: member for own in self.sums for member in own.members}
        return dict(sorted(found.items()))

    def read(self, cell: int, places: np.ndarray) -> np.ndarray | float:
        """Numbers that a cell stands for at places on its grid; NaN if it is in no sum."""
        member = self.members().get(cell)
        return np.nan if member is None else member.numbers(places)

    def replayed(self, numbers: np.ndarray, places: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Numbers of rows (n, cells) as they come back: known, or as sums at places have them."""
        for cell, member in self.members().items():
            own = known[:, cell]
            drawn = np.flatnonzero(np.isnan(own))
            own[drawn] = member.rounded(numbers[drawn, cell])
            for k, i, rows in self.ways(cell, known, drawn):
                if k is not None:
                    own[rows] = self.sums[k].solved(i, known[rows], places[rows, k])
        return known


def _where_known(numbers: np.ndarray, of: Callable) -> np.ndarray:
    """What a function makes of numbers, NaN of NaN."""
    found, known = np.full(len(numbers), np.nan), ~np.isnan(numbers)
    found[known] = of(numbers[known])
    return found


NONE = Sums()
