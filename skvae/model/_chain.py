"""Cells one after the other: each given the latent point and the cells before it."""

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, Self

import numpy as np

from skvae._math import joined, ops, split, take
from skvae.likelihoods._base import Column, Size, padded
from skvae.model._holes import Holes
from skvae.model._joint import Joint
from skvae.model._runs import Runs, Span
from skvae.model._told import Told

VALUE, STATE = 16, 128  # widths of a value, and of what is known
HIDDEN, ALL_HIDDEN = (16, 128), 5400  # units of a cell's own layer, and of all cells in all
HELD = 4  # blocks may hold so many more numbers than those of a decoder
PARENTS = 4  # most cells from one of which a cell starts


@dataclass(frozen=True)
class Chain:
    """p(x | z) as a product over cells in some order, each given z and those before it.

    What the cells before say is added up, and each cell reads the sum through a layer of its own:
    the cost grows with the number of cells, not with its square, and any order will do (Larochelle,
    Murray 2011, The Neural Autoregressive Distribution Estimator; Uria, Murray, Larochelle 2014). A
    cell starts from what one cell before it tells of it (Chow, Liu 1968), or from its own shares.

    Arrays come in as the argument `w`. `before` (cells, cells) is 1 where the second cell comes
    before the first, those of sums among them.
    """

    latent_dim: int
    hidden: int  # units of a cell's own layer
    joint: Joint
    spans: tuple[tuple[Span, ...], ...]  # of each part
    told: Told  # which cells are told through sums
    holes: Holes | None = None  # where cells may be missing

    @classmethod
    def of(
        cls,
        latent_dim: int,
        joint: Joint,
        columns: list[Column],
        holed: tuple[int, ...] = (),
        sums: tuple = (),
    ) -> Self:
        """The chain of cells with these likelihoods, of which some may be missing, and of sums."""
        slots, (fewest, most) = [column.n_slots for column in columns], HIDDEN
        hidden = max(fewest, min(most, ALL_HIDDEN // joint.n_cells // fewest * fewest))
        spans = tuple(_spans(np.array(slots), *place) for place in joint.spans())
        told = Told(joint.n_cells - len(sums), sums)
        holes = Holes(holed, told.n_cells) if holed else None
        return cls(latent_dim, hidden, joint, spans, told, holes)

    @property
    def n_cells(self) -> int:
        return self.joint.n_cells

    @property
    def numbers_per_draw(self) -> int:
        """What one draw of z takes room for, about."""
        return max(self.n_cells * self.hidden, self.joint.n_raw()) // HELD

    @property
    def cost(self) -> int:
        """Multiplications for a row, about."""
        by_cell = VALUE * STATE + STATE * (self.n_cells + self.hidden)
        return self.n_cells * by_cell + self.hidden * self.joint.n_raw()

    def init(self, rng: np.random.Generator) -> dict:
        """Random arrays to start training from."""
        n, d, hidden = self.n_cells, self.latent_dim, self.hidden
        widths = [self._widths("n_features"), self._widths("n_raw")]
        cells = [span.n_cells for span in chain(*self.spans)]
        return {
            "values": [_normal(rng, 0.5, *of, VALUE) for of in zip(cells, widths[0], strict=True)],
            "spread": _normal(rng, (4 / (n * VALUE)) ** 0.5, n, VALUE, STATE),
            "read": _normal(rng, (2 / STATE) ** 0.5, n, STATE, hidden),
            "latent": _normal(rng, d**-0.5, d, STATE),
            "bias": np.zeros((n, 1, hidden), np.float32),
            "out": [
                _normal(rng, 0.1 * hidden**-0.5, k, hidden, width)
                for k, width in zip(cells, widths[1], strict=True)
            ],
            "likelihood": self.joint.init(),
            "holes": {} if self.holes is None else self.holes.init(rng, STATE),
        }

    def log_likelihood(self, w: dict, x: Any, seen: Any, z: Any, before: Any) -> Any:
        """log p(x | z) of the cells that are seen, (draws, rows), at z (draws, rows, d).

        Here `before` is without sums.
        """
        cells, added = self.by_cell(w, x, seen, z, before)
        return ops.sum(cells, axis=-1) + added

    def by_cell(
        self, w: dict, x: Any, seen: Any, z: Any, before: Any, starts: Any = None
    ) -> tuple[Any, Any]:
        """The same of each cell, (draws, rows, cells), and what telling through sums adds.

        Numbers like those of `starts` may take their place.
        """
        counts, added = self.told.counts(w["sums"], x, seen, before)
        before = self.told.before(before)
        said = ops.reshape(self.said(w, x, seen), (self.n_cells, -1))
        known = ops.reshape(ops.matmul(before, said), (self.n_cells, -1, STATE))
        starts = self.starts(w, x, seen, before) if starts is None else starts
        cells = self.joint.log_prob(w["likelihood"], x, self.raw(w, known, z, starts))
        return counts * cells, added

    def said(self, w: dict, x: Any, seen: Any) -> Any:
        """What each cell tells those after it, (cells, rows, STATE); 0 of a hole."""
        features = self.joint.features(w["likelihood"], x, seen)
        runs = self._runs("n_features")
        blocks = split(features, [kind.n_features(size) for kind, size in self.joint.parts()])
        numbers = [own for part in map(Runs.apart, runs, blocks, self.spans) for own in part]
        values = list(map(ops.matmul, numbers, w["values"]))
        return ops.matmul(ops.concatenate(values, axis=0), w["spread"])

    def raw(self, w: dict, known: Any, z: Any, starts: list) -> Any:
        """Raw numbers of all cells, (draws, rows, n_raw).

        Of `known` (cells, rows, STATE), the sum of what was said before each; of z; and of numbers
        from which the cells of each span start, (cells, rows, numbers of a cell).
        """
        n_draws = ops.shape(z)[0]
        latent = ops.matmul(w["latent"], w["read"])  # z is part of what is known
        of_z = ops.matmul(ops.reshape(z, (-1, self.latent_dim)), latent)
        of_z = ops.reshape(of_z, (self.n_cells, n_draws, -1, self.hidden))
        read = ops.matmul(known, w["read"]) + w["bias"]
        hidden = ops.relu(ops.expand_dims(read, 1) + of_z)
        numbers = []
        for own, kernel, start in zip(self._by_span(hidden), w["out"], starts, strict=True):
            n = own.shape[0]
            own = ops.matmul(ops.reshape(own, (n, -1, self.hidden)), kernel)
            own = ops.reshape(own, (n, n_draws, -1, kernel.shape[-1]))
            numbers.append(own + ops.expand_dims(start, 1))
        left = iter(numbers)
        parts = [[next(left) for _ in spans] for spans in self.spans]
        whole = map(Runs.together, self._runs("n_raw"), parts, self.spans)
        return joined(list(whole))

    def starts(self, w: dict, x: Any, seen: Any, before: Any) -> list:
        """Raw numbers from which the cells of each span start, (cells, rows, numbers of a cell).

        A row of each cell's table: the first one if no parent is known, else one for the code of
        the first parent that is. All cells of x are looked at.
        """
        parents = ops.cast(w["parent"], "int32")  # (cells, PARENTS)
        first = ops.shape(before)[1] * np.arange(self.n_cells, dtype=np.int32)[:, None]
        comes = ops.expand_dims(take(ops.reshape(before, (-1,)), parents + first), -1)
        known = comes * take(ops.transpose(seen), parents)
        codes = take(ops.transpose(ops.floor(x)), parents)
        rows, row = ops.expand_dims(w["row"], -1) + codes, 0.0
        by_parent = zip(ops.unstack(known, PARENTS, 1), ops.unstack(rows, PARENTS, 1), strict=True)
        for is_known, own in reversed([*by_parent]):
            row = ops.where(is_known > 0, own, row)
        return list(map(_taken, w["table"], self._by_span(ops.cast(row, "int32"))))

    def _by_span(self, cells: Any) -> list:
        """What belongs to cells, (cells, ...), of each span."""
        return split(cells, [span.n_cells for span in chain(*self.spans)], 0)

    def of_cell(self, w: dict, cell: int) -> "tuple[Chain, dict]":
        """The chain of one cell, and its arrays."""
        part = next(i for i, spans in enumerate(self.spans) if cell < spans[-1].stop)
        i, span = next((i, s) for i, s in enumerate(chain(*self.spans)) if cell < s.stop)
        at, inner = slice(cell, cell + 1), slice(cell - span.start, cell - span.start + 1)
        one = {name: w[name][at] for name in ("spread", "read", "bias", "parent", "row")}
        one["latent"] = w["latent"]
        one |= {name: [w[name][i][inner]] for name in ("values", "out", "table")}
        one["likelihood"] = {"0": self.alone(w, cell, part)}
        joint = Joint((self.joint.likelihoods[part],), (alone(span.slots),))
        spans = ((Span(0, 1, span.slots),),)
        return Chain(self.latent_dim, self.hidden, joint, spans, Told(1)), one

    def alone(self, w: dict, cell: int, part: int) -> dict:
        """The arrays of the likelihood of a cell: what goes over cells does so on its last axis."""
        place, n_cells = cell - self.joint.spans()[part][0], self.joint.sizes[part].cells
        own = {
            name: array[..., place : place + 1] if np.shape(array)[-1:] == (n_cells,) else array
            for name, array in w["likelihood"][str(part)].items()
        }
        return own | w["alone"].get(str(cell), {})

    def _widths(self, count: str) -> list[int]:
        """Features or raw numbers of one cell of each span."""
        runs = zip(self._runs(count), self.spans, strict=True)
        return [own.width(span.slots) for own, spans in runs for span in spans]

    def _runs(self, count: str) -> list[Runs]:
        """How features or raw numbers lie in each part."""
        return [Runs.of(getattr(kind, count), size) for kind, size in self.joint.parts()]


def alone(slots: int) -> Size:
    """One cell with so many slots."""
    return Size(1, padded(slots) if slots else 0)


def _spans(slots: np.ndarray, start: int, stop: int) -> tuple[Span, ...]:
    """Runs of cells with as many slots each, from a place to another."""
    between = start + 1 + np.flatnonzero(np.diff(slots[start:stop]))
    edges = pairwise([start, *between.tolist(), stop])
    return tuple(Span(i, j, int(slots[i])) for i, j in edges)


def _taken(table: Any, row: Any) -> Any:
    """A row of the table of each cell (cells, height, n), (cells, rows, n)."""
    n_cells, height, n = table.shape
    first = height * np.arange(n_cells, dtype=np.int32)[:, None]
    return take(ops.reshape(table, (-1, n)), ops.clip(row, 0, height - 1) + first, axis=0)


def _normal(rng: np.random.Generator, scale: float, *shape: int) -> np.ndarray:
    return (scale * rng.standard_normal(shape)).astype(np.float32)
