"""Each cell of a row given the others: its log-probability, and that of draws in its place.

Latent points come in turns from q(z | x) of the row, of the same with one cell or another drawn
anew, and from the prior, and the weights are those of this mixture (Veach, Guibas 1995). So one
set of points serves all cells: a cell is left out by what its likelihood had in the weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from skvae._math import ops
from skvae.engine import DRAWS, ROWS, Shape, repeated, run, takes
from skvae.inference._blocks import HEIGHT, by_row, height_of, in_blocks
from skvae.inference._completions import WEIGHED
from skvae.inference._encode import posterior_sample, raw_at
from skvae.inference._noise import (
    RowRandom,
    Spread,
    hashes,
    last_shifts,
    noise_of,
    row_noise,
    sampled,
)
from skvae.inference._proposals import log_density_of_parts, of_parts
from skvae.model import Inference, Model, Network
from skvae.table import Cells

FAR = 1e9  # nats that a cell costs at most: beyond them others would be lost in rounding
AGAIN = 4  # times that a cell is drawn anew, to say where z may be without it
MOST = 31  # cells of a row that are: those that seem oddest where there are more
TIMES = 8  # draws in the place of a cell, evenly spread
OF_CELLS = Shape((None, None, "cells"))


class CellScores(NamedTuple):
    """What cells tell given the others of their row, in nats of encoded cells, (rows, cells)."""

    log_prob: np.ndarray  # 0 where a cell has no part in the model
    expected: np.ndarray  # its mean over draws in the place of the cell, and of what these add


def cell_scores(
    model: Model, x: Cells, slots: list[int], n_draws: int, settle: Callable
) -> CellScores:
    """Scores of the cells of rows, of a network whose cells do not see each other given z.

    `slots` are how many each cell has. `settle` turns drawn rows (n, cells) into those that tables
    hold, and says what each cell adds to its density.
    """
    own = _Rows(model, model.network.likelihood.owners(slots), n_draws, settle)
    height = height_of(model, own.n_draws)
    blocks = [(n, own.scores(block)) for n, (block,) in in_blocks(height, x)]
    parts = zip(*([part[:n] for part in scores] for n, scores in blocks), strict=True)
    return CellScores(*map(np.concatenate, parts))


class _Rows:
    """Scores of blocks of rows of one height."""

    def __init__(self, model: Model, owners: np.ndarray, n_draws: int, settle: Callable):
        self.model, self.owners, self.settle = model, owners, settle
        self.cells = np.flatnonzero(model.learned()["cells"]["varies"] > 0)
        self.n_draws = self._in_turns(n_draws, 1 + min(len(self.cells), MOST))

    def scores(self, x: np.ndarray) -> CellScores:
        whole = self._drawn_anew(x[:, None], np.isnan(x)[:, None])
        again = self._one_each(self._oddest(x, whole), x.shape[1])
        others = self._drawn_anew(np.repeat(whole, again.shape[1], axis=1), again)
        return self._scores(x, np.concatenate([whole, others], axis=1))

    def _oddest(self, x: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """Cells of each row that are to be left out, (rows, cells)."""
        if len(self.cells) <= MOST:
            return np.broadcast_to(self.cells, (len(x), len(self.cells)))
        first = self._scores(x, whole)
        cost = (first.expected - first.log_prob)[:, self.cells]
        cost[np.isnan(x[:, self.cells])] = -np.inf  # holes cost nothing
        return self.cells[np.argsort(-cost, axis=1, kind="stable")[:, :MOST]]

    def _one_each(self, cells: np.ndarray, n_cells: int) -> np.ndarray:
        """True in one cell after the other, (rows, cells that are chosen, cells)."""
        found = np.zeros((*cells.shape, n_cells), bool)
        np.put_along_axis(found, cells[:, :, None], True, axis=2)
        return found

    def _drawn_anew(self, rows: np.ndarray, again: np.ndarray) -> np.ndarray:
        """Rows (n, parts, cells) some cells of which are drawn given the others, some times."""
        if not again.any():
            return rows
        again, flat = (array.reshape(-1, rows.shape[-1]) for array in (again, rows))
        flat = np.where(again, np.float32(np.nan), flat)
        rng = RowRandom(hashes(flat))
        for _ in range(AGAIN):
            noise = row_noise(flat, 1, self.model.network.latent_dim)
            raw = self._raw(posterior_sample(self.model, flat, noise, WEIGHED)[0])
            drawn = self._sample(raw, rng)
            flat = np.where(again & np.isfinite(drawn), drawn, flat).astype(np.float32)
        return flat.reshape(rows.shape)

    def _scores(self, x: np.ndarray, parts: np.ndarray) -> CellScores:
        """By draws of z that parts of each row (rows, parts, cells) and the prior propose."""
        z, log_ratio = self._proposed(x, parts)
        cells = run(_by_cell, self.model, x, z)[0]  # (draws, rows, cells)
        cells, log_ratio = (np.fmax(logs, -FAR, dtype=float) for logs in (cells, log_ratio))
        log_w = log_ratio + cells.sum(axis=2)
        log_others = log_w[..., None] - cells
        total = logsumexp(log_others, axis=0)
        log_others -= total
        drawn, added = self._settled(x, self._draws(x, z, log_others))
        expected = run(_expected, self.model, z, log_others.astype(np.float32), drawn)[0]
        log_prob = logsumexp(log_w, axis=0)[:, None] - total
        return CellScores(log_prob, expected + added)

    def _proposed(self, x: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draws of z (draws, rows, d), and log p(z) less their log-density, (draws, rows)."""
        n_draws = self._in_turns(self.n_draws, parts.shape[1])
        z = of_parts(self.model, parts, noise_of(self.model, x, n_draws))
        log_p, log_q = log_density_of_parts(self.model, parts, z)
        with np.errstate(invalid="ignore"):
            log_ratio = log_p - log_q
        return np.ascontiguousarray(_finite(z).swapaxes(0, 1)), log_ratio.T

    def _in_turns(self, n_draws: int, n_parts: int) -> int:
        """At least so many draws, as many from each part and the prior."""
        return -(-n_draws // (n_parts + 1)) * (n_parts + 1)

    def _draws(self, x: np.ndarray, z: np.ndarray, log_w: np.ndarray) -> np.ndarray:
        """Draws of each cell at points by their weights for it, (TIMES, rows, cells)."""
        weights, shift = np.exp(log_w).cumsum(axis=0), last_shifts(x, z.shape[-1])
        due = (np.arange(TIMES)[:, None, None] + shift) / TIMES
        chosen = np.stack([(weights < share).sum(axis=0) for share in due], axis=1)
        chosen = chosen.clip(max=len(z) - 1)[..., self.owners]  # (rows, TIMES, n_raw)
        raw = self._raw(z.reshape(-1, z.shape[-1])).reshape(*z.shape[:2], -1)
        own = raw[chosen, np.arange(len(x))[:, None, None], np.arange(len(self.owners))]
        drawn = self._sample(own, Spread(hashes(x)))
        return np.where(np.isfinite(drawn), drawn, _finite(x)[:, None]).swapaxes(0, 1)

    def _settled(self, x: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draws as tables hold them, and the mean of what these add, (rows, cells)."""
        cells, added = self.settle(drawn.reshape(-1, drawn.shape[-1]))
        return cells.reshape(drawn.shape), added.reshape(drawn.shape).mean(axis=0)

    def _raw(self, z: np.ndarray) -> np.ndarray:
        """The decoder's raw numbers at points, (n, n_raw), 0 where they are not finite."""
        raw = by_row(raw_at, self.model, min(HEIGHT, height_of(self.model, 1)), _finite(z))[0]
        return _finite(raw)

    def _sample(self, raw: np.ndarray, rng: RowRandom) -> np.ndarray:
        return sampled(self.model.network.likelihood, self.model.learned()["likelihood"], raw, rng)


def _finite(numbers: np.ndarray) -> np.ndarray:
    """Numbers with 0 where they are not finite."""
    return np.nan_to_num(numbers, posinf=0.0, neginf=0.0)


@takes(ROWS, DRAWS)
def _by_cell(network: Network, w: dict, x: Any, z: Any) -> tuple:
    return (network.log_prob_of_cells(w, x, z, Inference()),)


@takes(DRAWS, OF_CELLS, OF_CELLS)
def _expected(network: Network, w: dict, z: Any, log_w: Any, drawn: Any) -> tuple:
    raw, likelihood = network.decode(w, z, Inference()), network.likelihood

    def step(i: Any, total: Any) -> tuple:
        cells = likelihood.log_prob(w["likelihood"], drawn[i], raw)
        return (total + ops.logsumexp(log_w + cells, axis=0) / TIMES,)

    (mean,) = repeated(step, TIMES, ops.zeros_like(drawn[0]))
    return (w["cells"]["varies"] * mean,)
