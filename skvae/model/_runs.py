"""How the numbers of a likelihood's cells lie side by side, and the cells' own in them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from skvae._math import joined, ops, split
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
        n_rows, cells = ops.shape(numbers)[0], [span.n_cells for span in spans]
        *slots, _, runs = split(numbers, self._sizes(spans))
        runs = ops.transpose(ops.reshape(runs, (n_rows, self.own, self.size.cells)), (2, 0, 1))
        found = []
        for span, own, beside in zip(spans, slots, split(runs, cells, 0), strict=True):
            n = self.each * span.slots
            own = ops.transpose(ops.reshape(own, (n_rows, span.n_cells, n)), (1, 0, 2)) if n else 0
            parts = [part for part, width in ((own, n), (beside, self.own)) if width]
            found.append(joined(parts or [beside]))
        return found

    def together(self, numbers: list, spans: Sequence[Span]) -> Any:
        """Numbers of the cells of each span, (cells, draws, rows, width), as (draws, rows, n)."""
        n_draws, n_rows = ops.shape(numbers[0])[1:3]
        widths = [(self.each * span.slots, self.own) for span in spans]
        slots, runs = zip(*map(split, numbers, widths), strict=True)
        *sizes, room, n_runs = self._sizes(spans)
        pieces = [
            ops.reshape(ops.transpose(own, (1, 2, 0, 3)), (n_draws, n_rows, n))
            for own, n in zip(slots, sizes, strict=True)
            if n
        ]
        if room or not sum(sizes) + n_runs:
            pieces.append(ops.zeros((n_draws, n_rows, room)))
        if n_runs:
            runs = ops.transpose(ops.concatenate(runs, axis=0), (1, 2, 3, 0))
            pieces.append(ops.reshape(runs, (n_draws, n_rows, n_runs)))
        return joined(pieces)

    def _sizes(self, spans: Sequence[Span]) -> list[int]:
        """How many numbers belong to the slots of each span, to none, and to the runs."""
        slots = [self.each * span.slots * span.n_cells for span in spans]
        return [*slots, self.each * self.size.slots - sum(slots), self.own * self.size.cells]
