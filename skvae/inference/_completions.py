"""Rows with holes and a chain of cells: the holes drawn, and weights that make the draws right.

Draws of z have weights by what an order in which observed cells come first thinks of these. Some of
them are taken, their rows completed in that order, and weighed by the cells' own order, in which
rows are drawn: so scores, filled cells and conditions agree with it.

Where few cells are missing, completed rows say where to look for z, and for these the encoder was
made.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from skvae.engine import LATENT, ROWS, takes
from skvae.inference._blocks import by_row
from skvae.inference._draw import Drawn, completed
from skvae.inference._encode import posterior_sample
from skvae.inference._noise import RowRandom, hashes, row_noise, sampled
from skvae.model import Inference, Model, Network

TAKEN = 6  # of so many draws of z about one is taken
EVEN = 1, 2, 3, 4, 6, 8, 12, 16, 24, 48  # so many that blocks leave no row over
SETTLED = 4  # completed rows that say where z may be
HEIGHT, WEIGHED = 192, 48  # rows in which cells are drawn, and in which rows are weighed


class Draws(NamedTuple):
    """Draws of z for some rows."""

    z: np.ndarray  # (draws, rows, d)
    log_w: np.ndarray  # (rows, draws), log p(x, z) / q(z)
    log_joint: Any = None  # (rows, draws), log p(x, z), of rows with holes


class Completions(NamedTuple):
    """Rows whose holes are drawn, several times each."""

    x: np.ndarray  # (rows, draws, cells)
    log_w: np.ndarray  # (rows, draws), by which p(x) is the mean weight of z times that of these
    cells: list[Drawn]  # as they were drawn; rows count over draws first


def completions(
    model: Model,
    x: np.ndarray,
    draws: Draws,
    rng: np.random.Generator | None = None,
    exact: np.ndarray | None = None,
) -> Completions:
    """Of rows x with holes, at some draws of their z; `exact` are the numbers they stand for.

    Without random numbers all of it depends on each row alone.
    """
    n = _n_taken(len(draws.z))
    taken, rows = chosen(draws.log_w, n), np.arange(len(x))[:, None]
    z = draws.z[taken, rows].reshape(-1, draws.z.shape[-1])
    seeds = hashes(x) if rng is None else rng.integers(2**63, size=len(x), dtype=np.uint64)
    draw = _RowByRow(seeds, n)
    full, log_q = completed(model, x, z, draw, _height(n), exact=exact)
    log_v = (log_joint_of_rows(model, full, z) - log_q).reshape(len(x), n)
    log_v -= draws.log_joint[rows, taken]
    return Completions(full.reshape(len(x), n, -1), log_v, draw.cells)


def settled(model: Model, x: np.ndarray) -> np.ndarray:
    """Rows x with holes, completed some times each at draws of q(z | x), (rows, n, cells).

    All of it depends on each row alone.
    """
    n = SETTLED
    z = posterior_sample(model, x, row_noise(x, n, model.network.latent_dim), WEIGHED)
    z, draw = np.ascontiguousarray(z.swapaxes(0, 1)), _RowByRow(hashes(x), n)
    z = z.reshape(-1, z.shape[-1])
    full, _ = completed(model, x, z, draw, _height(n), weighs=False)
    return full.astype(np.float32).reshape(len(x), n, -1)


def _n_taken(n_draws: int) -> int:
    """How many of so many draws are completed."""
    least = -(-n_draws // TAKEN)
    return next((n for n in EVEN if n >= least), least + -least % EVEN[-1])


def _height(n: int) -> int:
    """Rows of a block that holds all n of each."""
    return max(1, HEIGHT // n) * n


class _RowByRow:
    """Draws cells row by row, by random numbers of each row alone."""

    def __init__(self, seeds: np.ndarray, n_draws: int):
        self.seeds, self.n_draws = seeds, n_draws
        self.cells: list = []

    def __call__(self, cell: Drawn) -> np.ndarray:
        self.cells.append(cell)
        owners, draws = np.divmod(cell.rows, self.n_draws)
        rng = RowRandom(self.seeds[owners], cell.cell * self.n_draws + draws)
        return sampled(cell.likelihood, cell.w, cell.raw, rng)[:, 0]


def chosen(log_w: np.ndarray, n: int, shifts: Any = 0.5) -> np.ndarray:
    """Places of n of the draws of each row, by their weights (rows, draws), (rows, n).

    `shifts` in [0, 1), (rows, 1), say where they begin.
    """
    w = np.exp(log_w - logsumexp(log_w, axis=1, keepdims=True)).cumsum(axis=1)
    due = np.broadcast_to((np.arange(n) + shifts) / n, (len(w), n))
    return np.stack(list(map(np.searchsorted, w, due))).clip(max=log_w.shape[1] - 1)


def log_joint_of_rows(model: Model, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """log p(x, z) of rows, each at its own point, (rows,)."""
    return by_row(_joint, model, WEIGHED, x.astype(np.float32), z)[0].astype(np.float64)


@takes(ROWS, LATENT)
def _joint(network: Network, w: dict, x: Any, z: Any) -> tuple:
    log_lik = network.log_likelihood(w, x, z[None], Inference())[0]
    return (log_lik + network.log_prior(w, z),)
