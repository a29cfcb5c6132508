"""Encoded cells: what training and inference ask of them, and the two places they may be in."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Protocol, Self

import numpy as np
from scipy.sparse import csr_array, vstack

from skvae._memory import aligned, spread

NUMBERS = 2**22  # most numbers of sparse rows that are dense at once: 16 MiB


class Cells(Protocol):
    """Rows (n, cells) in float32, NaN in a hole; indexing gives dense ones."""

    sparse: bool  # whether a program is given parts of which it makes dense rows

    @abstractmethod
    def __getitem__(self, rows: Any) -> np.ndarray: ...

    def __len__(self) -> int:
        return self.shape[0]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""

    @property
    @abstractmethod
    def T(self) -> Iterator[np.ndarray]:  # noqa: N802
        """Its columns, dense, one by one."""

    @abstractmethod
    def take(self, places: np.ndarray) -> Self:
        """Some of the rows."""

    @abstractmethod
    def parted(self, places: np.ndarray) -> tuple[Self, Self]:
        """The other rows, in this memory with rows of its end in the gaps, and those at places."""

    @abstractmethod
    def span(self, start: int, stop: int) -> Self:
        """Some neighbouring columns."""

    @abstractmethod
    def spans(self) -> Iterator[tuple[int, int]]:
        """Starts and stops of neighbouring columns that may be dense at once."""

    @abstractmethod
    def rows_with_holes(self, counts: np.ndarray) -> np.ndarray:
        """Which rows have holes, in columns that count."""

    @abstractmethod
    def any_holes(self) -> bool:
        """Whether there is a hole."""

    @abstractmethod
    def filled(self) -> Self:
        """Holes filled by the column's own values in turn, to keep its distribution; else by 0."""

    @abstractmethod
    def mean(self) -> np.ndarray:
        """The mean of each column without holes, (cells,)."""

    @abstractmethod
    def arrays(self) -> Any:
        """The array, or the four that sparse rows are: row starts, columns, cells, base."""

    def where(self, mask: np.ndarray) -> Self:
        """The rows that a mask says."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def share(self, n: int, rank: int) -> "Cells":
        """One of n shares of the same size, for which some rows may have to come twice."""
        places = rank + n * np.arange(-(-len(self) // n))
        return self if n == 1 else self.take(places % len(self))

    @property
    def heights(self) -> list[int]:
        """Rows of each block that is in memory at once: here of the one that there is."""
        return [len(self)]

    def block(self, k: int) -> "Cells":
        """The rows of a block."""
        return self


class Dense(Cells):
    """Rows in an array."""

    sparse = False

    def __init__(self, x: np.ndarray):
        self.x = x

    @classmethod
    def of(cls, blocks: Iterable[tuple[slice, np.ndarray]], shape: tuple[int, int]) -> "Dense":
        """All rows, of blocks of some of them with their places."""
        x = aligned(shape)
        for rows, cells in blocks:
            x[rows] = cells
        return cls(x)

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.x[rows]

    @property
    def T(self) -> Iterator[np.ndarray]:  # noqa: N802
        return iter(self.x.T)

    def take(self, places: np.ndarray) -> "Dense":
        return Dense(self.x[places])

    def parted(self, places: np.ndarray) -> tuple["Dense", "Dense"]:
        others, there = parted(self.x, places)
        return Dense(others), Dense(there)

    def span(self, start: int, stop: int) -> "Dense":
        return Dense(self.x[:, start:stop])

    def spans(self) -> Iterator[tuple[int, int]]:
        yield 0, self.shape[1]

    def rows_with_holes(self, counts: np.ndarray) -> np.ndarray:
        return (np.isnan(self.x) & counts).any(axis=1)

    def any_holes(self) -> bool:
        return bool(np.isnan(np.min(self.x, initial=0.0)))

    def filled(self) -> "Dense":
        if not self.any_holes():
            return self
        x = self.x.copy()
        for column in x.T:
            _fill(column, column)
        return Dense(x)

    def mean(self) -> np.ndarray:
        return self.x.mean(axis=0, dtype=np.float64).astype(np.float32)

    def arrays(self) -> np.ndarray:
        return self.x


class Sparse(Cells):
    """Rows of which most cells are those of a row of zeros: they are made dense some at a time."""

    sparse = True

    def __init__(self, differing: csr_array, base: np.ndarray):
        self.differing = differing  # the cells unlike those of a row of zeros
        self.base = base  # and these

    @classmethod
    def of(cls, blocks: Iterable[tuple[slice, np.ndarray]], base: np.ndarray) -> "Sparse":
        """All rows, of dense blocks of some of them in turn, and the cells of a row of zeros."""
        parts = [differing(cells.astype(np.float32), base) for _, cells in blocks]
        return cls(vstack(parts, format="csr"), base)

    @property
    def shape(self) -> tuple[int, int]:
        return self.differing.shape

    def __getitem__(self, rows: Any) -> np.ndarray:
        some = self.differing[rows]
        dense = np.broadcast_to(self.base, some.shape).copy()
        dense[_places(some)] = some.data
        return dense

    @property
    def T(self) -> Iterator[np.ndarray]:  # noqa: N802
        cells = self.differing.tocsc()
        for value, (start, stop) in zip(self.base, pairwise(cells.indptr), strict=True):
            column = np.full(len(self), value)
            column[cells.indices[start:stop]] = cells.data[start:stop]
            yield column

    def take(self, places: np.ndarray) -> "Sparse":
        return Sparse(self.differing[places], self.base)

    def parted(self, places: np.ndarray) -> tuple["Sparse", "Sparse"]:
        others, _ = parted(np.arange(len(self)), places)
        return self.take(others), self.take(places)

    def span(self, start: int, stop: int) -> "Sparse":
        return Sparse(self.differing[:, start:stop], self.base[start:stop])

    def spans(self) -> Iterator[tuple[int, int]]:
        width = max(1, NUMBERS // len(self))
        for start in range(0, self.shape[1], width):
            yield start, min(start + width, self.shape[1])

    def rows_with_holes(self, counts: np.ndarray) -> np.ndarray:
        rows, columns = _places(self.differing)
        holes = np.isnan(self.differing.data) & counts[columns]
        return np.bincount(rows[holes], minlength=len(self)) > 0

    def any_holes(self) -> bool:
        return bool(np.isnan(np.min(self.differing.data, initial=0.0)))

    def filled(self) -> "Sparse":
        if not self.any_holes():
            return self
        cells = self.differing.tocsc()
        for column, (start, stop) in zip(self.T, pairwise(cells.indptr), strict=True):
            _fill(cells.data[start:stop], column)
        return Sparse(cells.tocsr(), self.base)

    def mean(self) -> np.ndarray:
        columns = self.differing.indices
        base = np.nan_to_num(self.base)  # where 0 is no level, no cell is the base
        beyond = np.bincount(columns, self.differing.data - base[columns], minlength=self.shape[1])
        return (base + beyond / len(self)).astype(np.float32)

    def arrays(self) -> tuple:
        rows = self.differing
        kinds = rows.indptr.astype(np.int64), rows.indices.astype(np.int32)
        return *kinds, rows.data, self.base


def differing(block: np.ndarray, base: np.ndarray) -> csr_array:
    """The cells of dense rows that are not those of a row of zeros."""
    rows, columns = np.nonzero(block != base)  # a hole differs from all
    counts = np.bincount(rows, minlength=len(block))
    starts = np.concatenate([[0], counts.cumsum()])
    return csr_array((block[rows, columns], columns, starts), shape=block.shape)


def parted(x: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The other rows, in the memory of x with rows of its end in the gaps, and those at places."""
    n = len(x) - len(places)
    there = x[places]
    gaps = places[places < n]
    x[gaps] = x[np.setdiff1d(np.arange(n, len(x)), places)]
    return x[:n], there


def _fill(cells: np.ndarray, column: np.ndarray) -> None:
    holes = np.isnan(cells)
    if holes.any():
        observed = column[~np.isnan(column)]
        cells[holes] = spread(observed, holes.sum()) if len(observed) else 0.0


def _places(cells: csr_array) -> tuple[np.ndarray, np.ndarray]:
    rows = np.repeat(np.arange(cells.shape[0]), np.diff(cells.indptr))
    return rows, cells.indices
