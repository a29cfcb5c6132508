"""How the numbers of a likelihood's cells lie side by side, and the cells' own in them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from skvae._math import ops
from skvae.likelihoods._base import Size


class Span(NamedTuple):
    """Neighbouring cells of a likelihood, with as many slots each."""

    start: int
    stop: int
    slots: int

    @property
    def n_cells(self) -> int:
        return self.stop - self.start

    @property
    def at(self) -> slice:
        """The places of its cells."""
        return slice(self.start, self.stop)


class Runs(NamedTuple):
    """Numbers for slots, cell after cell, and then one run over the cells after the other."""

    each: int  # numbers for each slot
    own: int  # and for each cell besides
    size: Size

    @classmethod
    def of(cls, count: Callable[[Size], int], size: Size) -> Self:
        """Where a likelihood says how many numbers there are: its `n_features` or `n_raw`."""
        each = count(Size(1, 2)) - count(Size(1, 1))
        return cls(each, count(Size(1, 1)) - each, size)

    def width(self, slots: int) -> int:
        """Numbers of a cell with so many slots."""
        return self.each * slots + self.own

    def places(self, slots: int) -> np.ndarray:
        """Where numbers of the one cell lie that there is, with room for more slots."""
        runs = self.each * self.size.slots + np.arange(self.own)
        return np.append(np.arange(self.each * slots), runs)

    def apart(self, numbers: Any, spans: Sequence[Span]) -> list:
        """Numbers (rows, n) of the cells of each span, (cells, rows, width)."""
        room, n_rows = self.each * self.size.slots, ops.shape(numbers)[0]  # widths may be 0
        runs = ops.reshape(numbers[:, room:], (n_rows, self.own, self.size.cells))
        runs, found, slot, first = ops.transpose(runs, (2, 0, 1)), [], 0, spans[0].start
        for span in spans:
            n = self.each * span.slots
            own = numbers[:, slot : slot + n * span.n_cells]
            own = ops.transpose(ops.reshape(own, (n_rows, span.n_cells, n)), (1, 0, 2))
            beside = runs[span.start - first : span.stop - first]
            found.append(ops.concatenate([own, beside], axis=-1))
            slot += n * span.n_cells
        return found

    def together(self, numbers: list, spans: Sequence[Span]) -> Any:
        """Numbers of the cells of each span, (cells, draws, rows, width), as (draws, rows, n)."""
        n_draws, n_rows = ops.shape(numbers[0])[1:3]
        pieces, room = [], self.each * self.size.slots
        for own, span in zip(numbers, spans, strict=True):
            n = self.each * span.slots
            slots = ops.transpose(own[..., :n], (1, 2, 0, 3))
            pieces.append(ops.reshape(slots, (n_draws, n_rows, n * span.n_cells)))
            room -= n * span.n_cells
        runs = [
            own[..., self.each * span.slots :] for own, span in zip(numbers, spans, strict=True)
        ]
        runs = ops.transpose(ops.concatenate(runs, axis=0), (1, 2, 3, 0))
        runs = ops.reshape(runs, (n_draws, n_rows, self.own * self.size.cells))
        return ops.concatenate([*pieces, ops.zeros((n_draws, n_rows, room)), runs], axis=-1)
