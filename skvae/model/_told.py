"""Cells that are told through sums of theirs, in any order of the cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skvae._math import ops, take


@dataclass(frozen=True)
class Told:
    """Sums of cells are cells too: each is told in the place of that of its cells that comes last.

    So an end is told by how long it took where its start comes before, and else by itself.
    """

    n_cells: int  # without those of sums, which come after them
    # Of each sum the cells, the one first that comes last in their own order, and whether they may
    # be told through it.
    sums: tuple[tuple[tuple[int, bool], ...], ...] = ()

    def before(self, before: Any) -> Any:
        """1 where the second of two cells comes before the first, those of sums among them."""
        if not self.sums:
            return before
        every = ops.stack([*np.eye(self.n_cells, dtype=np.float32), *self._last(before)])
        return ops.matmul(ops.matmul(every, before), ops.transpose(every))

    def counts(self, w: list, x: Any, seen: Any, before: Any) -> tuple[Any, Any]:
        """1 where a cell is told by its own distribution, (rows, cells), and what else there is.

        This, (rows,), makes nats of a sum those of the cell that it stands for, by slopes in `w`.
        """
        if not self.sums:
            return seen, 0.0
        counts, ways = seen[:, : self.n_cells], []
        for k, (members, last) in enumerate(zip(self.sums, self._last(before), strict=True)):
            known = seen[:, self.n_cells + k : self.n_cells + k + 1]
            ways.append(known * last * self._telling(members) * counts)
            counts -= ways[-1]
        told = ops.stack([ops.sum(way, axis=1) for way in ways], axis=1)
        added = sum(self._added(w[k], x, k, way) for k, way in enumerate(ways))
        return ops.concatenate([counts, told], axis=1), added

    def _added(self, w: list, x: Any, k: int, way: Any) -> Any:
        """The slopes of a sum in the place of the cells that it stands for, (rows,)."""
        own, *slopes = w
        added = ops.sum(way, axis=1) * _slope(own, x[:, self.n_cells + k])
        for (cell, _), of_cell in zip(self.sums[k], slopes, strict=True):
            added += way[:, cell] * _slope(of_cell, x[:, cell])
        return added

    def _last(self, before: Any) -> list:
        """1 at that cell of each sum that comes last, (cells,) each."""
        found = []
        for members in self.sums:
            own = self._one_hot([cell for cell, _ in members])
            among = ops.matmul(ops.matmul(own, before), own.T) + np.eye(len(own), dtype=np.float32)
            found.append(ops.matmul(ops.prod(among, axis=1), own))
        return found

    def _telling(self, members: tuple) -> np.ndarray:
        return self._one_hot([cell for cell, tells in members if tells]).sum(axis=0)

    def _one_hot(self, cells: list[int]) -> np.ndarray:
        return np.eye(self.n_cells, dtype=np.float32)[cells]


def _slope(slopes: Any, x: Any) -> Any:
    """Of the slots that cells fall into."""
    return take(slopes, ops.clip(ops.cast(ops.floor(x), "int32"), 0, slopes.shape[0] - 1))
