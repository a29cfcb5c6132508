"""Encoded rows of which most cells are those of a row of zeros: they are made dense some at a time."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array


class Parts(NamedTuple):
    """What a program needs to make rows dense."""

    starts: Any  # of each row in the two below, and the end of the last
    columns: Any
    cells: Any
    base: Any


class SparseRows:
    """Rows (n, cells) in float32; indexing gives dense ones."""

    def __init__(self, differing: csr_array, base: np.ndarray):
        self.differing, self.base = differing, base  # the cells unlike those of a row of zeros, and these

    @property
    def shape(self) -> tuple[int, int]:
        return self.differing.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        some = self.differing[rows]
        dense = np.tile(self.base, (some.shape[0], 1))
        dense[_places(some)] = some.data
        return dense

    @property
    def T(self) -> Iterator[np.ndarray]:  # noqa: N802
        """Its columns, dense, one by one."""
        cells = self.differing.tocsc()
        for value, start, stop in zip(self.base, cells.indptr[:-1], cells.indptr[1:], strict=True):
            column = np.full(len(self), value)
            column[cells.indices[start:stop]] = cells.data[start:stop]
            yield column

    def columns(self, start: int, stop: int) -> "SparseRows":
        """Some neighbouring columns."""
        return SparseRows(self.differing[:, start:stop], self.base[start:stop])

    def parts(self) -> Parts:
        """The arrays that it is made of."""
        rows = self.differing
        return Parts(rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data, self.base)


def differing(block: np.ndarray, base: np.ndarray) -> csr_array:
    """The cells of dense rows that are not those of a row of zeros."""
    rows, columns = np.nonzero(block != base)  # a hole differs from all
    starts = np.concatenate([[0], np.bincount(rows, minlength=len(block)).cumsum()])
    return csr_array((block[rows, columns], columns, starts), shape=block.shape)


def at(x: np.ndarray | SparseRows, places: np.ndarray) -> np.ndarray | SparseRows:
    """Some of the rows, as sparse as they are."""
    return SparseRows(x.differing[places], x.base) if isinstance(x, SparseRows) else x[places]


def parted(x: np.ndarray | SparseRows, places: np.ndarray) -> tuple:
    """The other rows, and those at some places. The others take the memory of x, with rows of its end in the gaps."""
    n = len(x) - len(places)
    gaps, tail = places[places < n], np.setdiff1d(np.arange(n, len(x)), places)
    if isinstance(x, SparseRows):
        others = np.arange(n)
        others[gaps] = tail
        return at(x, others), at(x, places)
    there = x[places]
    x[gaps] = x[tail]
    return x[:n], there


def chosen(x: np.ndarray | SparseRows, mask: np.ndarray) -> np.ndarray | SparseRows:
    """The rows that a mask says."""
    return x if mask.all() else at(x, np.flatnonzero(mask))


def with_holes(x: np.ndarray | SparseRows, counts: np.ndarray) -> np.ndarray:
    """Which rows have holes, in columns that count."""
    if not isinstance(x, SparseRows):
        return (np.isnan(x) & counts).any(axis=1)
    rows, columns = _places(x.differing)
    holes = np.isnan(x.differing.data) & counts[columns]
    return np.bincount(rows[holes], minlength=len(x)) > 0


def any_holes(x: np.ndarray | SparseRows | None) -> bool:
    """Whether there are rows with a hole."""
    return x is not None and bool(np.isnan(np.min(x.differing.data if isinstance(x, SparseRows) else x, initial=0.0)))


def without_holes(x: np.ndarray | SparseRows) -> np.ndarray | SparseRows:
    """Holes filled by the column's own values in turn, which leaves its distribution as it is; by 0 if it has none."""
    if not any_holes(x):
        return x
    if not isinstance(x, SparseRows):
        x = x.copy()
        for column in x.T:
            _fill(column, column)
        return x
    cells = x.differing.tocsc()
    for column, start, stop in zip(x.T, cells.indptr[:-1], cells.indptr[1:], strict=True):
        _fill(cells.data[start:stop], column)
    return SparseRows(cells.tocsr(), x.base)


def _fill(cells: np.ndarray, column: np.ndarray) -> None:
    holes = np.isnan(cells)
    if holes.any():
        observed = column[~np.isnan(column)]
        cells[holes] = np.resize(observed, holes.sum()) if len(observed) else 0.0


def _places(cells: csr_array) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(cells.shape[0]), np.diff(cells.indptr)), cells.indices
