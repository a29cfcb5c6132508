"""Rows drawn from p(x | z), of cells that do not see each other or of a chain of them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from skvae._math import ops
from skvae.engine import ROWS, enter, takes, traced
from skvae.inference._blocks import by_row, padded
from skvae.inference._encode import cells
from skvae.likelihoods import Likelihood
from skvae.model import STATE, Chain, Joint, Model, Network, Runs

BLOCK, SEEN = 2**15, 2**11  # rows in which cells are drawn in turn, and holes
READ = 48  # rows in which cells are read: few, so that one does not wait for many


class Drawn(NamedTuple):
    """A cell of some rows, about to be drawn, or the sum through which it is told."""

    cell: int
    rows: np.ndarray
    likelihood: Likelihood
    w: dict
    raw: np.ndarray  # (rows, n_raw)
    stands_for: tuple | None = None  # of a sum: the cell, and shift and slope of its points

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """A value for each of the rows."""
        with np.errstate(over="ignore", invalid="ignore"):  # brought back into its column's range
            return self.likelihood.sample(self.w, self.raw, rng)[:, 0]


def drawn(model: Model, z: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """A row of cells for each latent point, block by block."""
    z = z.astype(np.float32)
    if model.network.chain is None:
        sample = model.network.likelihood.sample
        yield from cells(model, z, lambda w, raw: sample(w, raw, rng))
        return
    for block in _in_blocks(z, BLOCK):
        holes = np.full((len(block), model.network.width), np.nan)
        yield completed(model, holes, block, lambda cell: cell.sample(rng))[0]


def completed(
    model: Model,
    x: np.ndarray,
    z: np.ndarray,
    draw: Callable,
    height: int | None = None,
    weighs: bool = True,
    exact: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose holes are drawn in turn, given z and the cells that are none; log q if it weighs.

    Where there are more points z than rows, each row is drawn at as many of them, one after the
    other. `draw` makes values of a `Drawn`. With a height, rows go through in blocks of as many, so
    that what a row gets does not depend on the others. `exact` are the numbers that the cells of x
    stand for, of which sums are made; None reads them off x.
    """
    enter()
    n = len(z) // len(x)
    filling = _Filling(model, x, n, height, weighs)
    if exact is not None:
        filling.exact[:, : exact.shape[1]] = np.repeat(exact, n, axis=0)
    for j in np.flatnonzero(filling.holes.any(axis=0)).tolist():
        filling.fill(j, z, draw)
    return filling.x, filling.log_q


class _Filling:
    """Rows whose holes are being drawn, each some times."""

    def __init__(self, model: Model, x: np.ndarray, n: int, height: int | None, weighs: bool):
        self.chain, learned = model.network.chain, model.learned()
        self.height, self.weighs = height, weighs
        self.w, self.varies = learned["chain"], learned["cells"]["varies"]
        arrays = x, *_numbers(x, self.varies), _known(model, x)
        self.x, self.numbers, self.seen, self.known = (np.repeat(own, n, axis=0) for own in arrays)
        self.holes, self.log_q = np.isnan(self.x[:, : model.network.n_cells]), np.zeros(len(self.x))
        self.last = self.holes.shape[1] - 1 - self.holes[:, ::-1].argmax(axis=1)  # the last hole
        self.sums, self.exact = model.sums, model.sums.numbers(self.x)

    def fill(self, j: int, z: np.ndarray, draw: Callable) -> None:
        """Draw the j-th cell where it is a hole, through a sum that lacks it alone if any does."""
        for k, i, places in self.sums.ways(j, self.x, np.flatnonzero(self.holes[:, j])):
            cell = self._cell(j, k)
            for rows in _in_blocks(places, self.height):
                self._draw(cell, rows, z, draw, (j, k, i))
                if self.sums:
                    self._settle(j, k, i, rows)

    def _draw(
        self, cell: "_Cell", rows: np.ndarray, z: np.ndarray, draw: Callable, way: tuple
    ) -> None:
        """Draw a cell of some rows: the j-th, or the k-th sum, of which that is the i-th."""
        j, k, i = way
        raw = cell.raw(*_some(rows, self.height, self.numbers, self.seen, self.known, z))
        of = None if k is None else (j, *self.sums.sums[k].of_points(i, self.exact[rows]))
        drawn = Drawn(cell.place, rows, cell.likelihood, cell.arrays, raw[: len(rows)], of)
        own = self._put(cell, rows, draw(drawn), j)
        if self.weighs:
            self.log_q[rows] += cell.log_prob(own[0], own[1], raw)[: len(rows)]

    def _settle(self, j: int, k: int | None, i: int, rows: np.ndarray) -> None:
        """Find what follows from a cell that was drawn, or from a sum of it."""
        if k is None:
            self.exact[rows, j] = self.sums.read(j, self.x[rows, j])
        else:
            self._solve(k, i, rows, j)
        for own, some in self.sums.completed(j, self.x, rows):
            places = self.sums.sums[own].placed(self.exact[some])
            self._put(self._cell(j, own), some, places, j)

    def _cell(self, j: int, k: int | None = None) -> "_Cell":
        """The j-th cell, or the k-th sum."""
        place = j if k is None else self.holes.shape[1] + k
        return _Cell(place, *self.chain.of_cell(self.w, place))

    def _put(self, cell: "_Cell", rows: np.ndarray, values: np.ndarray, j: int) -> list:
        """Give a cell values, and tell those after the j-th; the cell, and whether it tells."""
        at = slice(cell.place, cell.place + 1)
        self.x[rows, cell.place] = values
        self.numbers[rows, at], self.seen[rows, at] = _numbers(self.x[rows, at], self.varies[at])
        own = _some(rows, self.height, self.numbers[:, at], self.seen[:, at])
        if (self.last[rows] > j).any():
            self.known[rows] += cell.said(*own)[: len(rows)]
        return own

    def _solve(self, k: int, i: int, rows: np.ndarray, j: int) -> None:
        """Give the j-th cell, which is the i-th of a sum, what the sum and the others leave."""
        own, w, place = self.sums.sums[k], self.w["sums"][k], self.holes.shape[1] + k
        self.exact[rows, j] = own.solved(i, self.exact[rows], self.x[rows, place])
        self._put(self._cell(j), rows, own.members[i].grid.encode(self.exact[rows, j])[0], j)
        for slopes, cell in ((w[0], place), (w[1 + i], j)):
            self.log_q[rows] += slopes[self.x[rows, cell].astype(np.intp)]


class _Cell(NamedTuple):
    """A chain of one cell, and its arrays: mostly in NumPy, since there is little to do at once.

    Not so products, whose last bits hang on where a row lies there.
    """

    place: int  # among the cells of a row
    chain: Chain
    w: dict

    @property
    def likelihood(self) -> Likelihood:
        return self.chain.joint.likelihoods[0]

    @property
    def arrays(self) -> dict:
        """Of the likelihood."""
        return self.w["likelihood"]["0"]

    def raw(self, x: np.ndarray, seen: np.ndarray, known: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Raw numbers after the cells that are seen, which say what is known, (rows, n_raw)."""
        w, joint = self.w, self.chain.joint
        hidden = _product(known + _product(z, w["latent"]), w["read"][0]) + w["bias"][0]
        own = _product(np.maximum(hidden, 0.0), w["out"][0][0])
        raw = np.zeros((len(x), joint.n_raw()), np.float32)
        raw[:, self._places("n_raw")] = own + self._start(x, seen)
        return raw

    def _start(self, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Numbers that the first parent that is seen tells, as in `Chain.starts`."""
        parents, table = self.w["parent"][0].astype(np.intp), self.w["table"][0][0]
        known, codes = seen[:, parents] > 0, np.floor(x[:, parents])
        places = np.where(known, self.w["row"][0] + codes, 0.0).clip(0, len(table) - 1)
        first = known.argmax(axis=1)[:, None]
        return table[np.take_along_axis(places, first, axis=1)[:, 0].astype(np.intp)]

    def log_prob(self, x: np.ndarray, seen: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """Log-probability of the cell, (rows,)."""
        log_prob = traced(Joint.log_prob, self.chain.joint)(self.w["likelihood"], x, raw)
        return (seen * log_prob.numpy())[:, 0].astype(np.float64)

    def said(self, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """What the cell says, (rows, STATE)."""
        features = traced(Joint.features, self.chain.joint)(self.w["likelihood"], x, seen).numpy()
        value = _product(features[:, self._places("n_features")], self.w["values"][0][0])
        return _product(value, self.w["spread"][0])

    def _places(self, count: str) -> np.ndarray:
        """Where the cell's own features or raw numbers lie."""
        (kind, size), ((span,),) = next(self.chain.joint.parts()), self.chain.spans
        return Runs.of(getattr(kind, count), size).places(span.slots)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(ops.matmul(a, b))


def _numbers(x: np.ndarray, varies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells with 0 in holes, and which are none and tell something."""
    return np.nan_to_num(x, nan=0.0).astype(np.float32), varies * ~np.isnan(x)


def _some(rows: np.ndarray, height: int | None, *arrays: np.ndarray) -> list[np.ndarray]:
    """Some rows of arrays, filled up to a height."""
    return [padded(array[rows], height or len(rows)) for array in arrays]


def _known(model: Model, x: np.ndarray) -> np.ndarray:
    """What the cells of each row that are there say in all, (rows, STATE)."""
    known = np.zeros((len(x), STATE), np.float32)
    rows = np.flatnonzero(~np.isnan(x).all(axis=1))
    if len(rows):
        known[rows] = by_row(_said, model, READ, x[rows].astype(np.float32))[0]
    return known


@takes(ROWS)
def _said(network: Network, w: dict, x: Any) -> tuple:
    return (ops.sum(network.said(w, x), axis=0),)


def _in_blocks(rows: np.ndarray, height: int | None) -> list[np.ndarray]:
    return np.split(rows, range(height, len(rows), height)) if height else [rows]


def missing(model: Model, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which cells of drawn rows are missing, as they are in the rows of fit, (rows, cells)."""
    enter()
    found = np.zeros((len(x), model.network.n_cells), bool)
    if model.network.chain.holes is not None:
        for rows in _in_blocks(np.arange(len(x)), SEEN):
            found[rows] = _missing(model, x[rows], rng)
    return found


def _missing(model: Model, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same of one block."""
    chain, learned = model.network.chain, model.learned()
    found = np.zeros((len(x), model.network.n_cells), np.float32)
    w, holes = learned["chain"], chain.holes
    numbers, seen = _numbers(x, learned["cells"]["varies"])
    said = np.asarray(chain.said(w, numbers, seen))
    possible = _Possible(w["holes"].get("kept"), len(x))
    for i, j in enumerate(holes.cells):
        p = expit(np.asarray(holes.logits(w["holes"], numbers, said, found))[i])
        found[:, j] = possible.narrowed(i, rng.random(len(x)) < p)
    return found > 0


class _Possible:
    """Which patterns of missing cells rows may still have; None allows all."""

    def __init__(self, patterns: np.ndarray | None, n: int):
        self.patterns = patterns
        self.left = None if patterns is None else np.ones((n, len(patterns)), bool)

    def narrowed(self, i: int, holes: np.ndarray) -> np.ndarray:
        """The holes of the i-th cell as far as patterns have them, of which others are left out."""
        if self.patterns is None:
            return holes
        here = self.patterns[:, i] > 0
        holes = np.where((self.left & here).any(axis=1), holes, False)
        holes = np.where((self.left & ~here).any(axis=1), holes, True)
        self.left &= here == holes[:, None]
        return holes
