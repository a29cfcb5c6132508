"""Rows with holes and a chain of cells: the holes drawn, and weights that make the draws right.

Draws of z have weights by what an order in which observed cells come first thinks of these. Some of
them are taken, their rows completed in that order, and weighed by the cells' own order, in which
rows are drawn: so scores, filled cells and conditions agree with it.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from skvae.engine import LATENT, ROWS, takes
from skvae.inference._blocks import by_row
from skvae.inference._draw import Drawn, completed
from skvae.inference._noise import row_shifts
from skvae.model import Inference, Model, Network

TAKEN = 4  # of so many draws of z one is taken
HEIGHT = 768  # rows in which cells are drawn, and weighed


class Completions(NamedTuple):
    """Rows whose holes are drawn, several times each."""

    x: np.ndarray  # (rows, draws, cells)
    log_w: np.ndarray  # (rows, draws), by which p(x) is the mean weight of z times that of these
    cells: list[Drawn]  # as they were drawn; rows count over draws first


def completions(
    model: Model,
    x: np.ndarray,
    z: np.ndarray,
    log_w: np.ndarray,
    rng: np.random.Generator | None = None,
) -> Completions:
    """Of rows x at draws of z (draws, rows, d) that have weights (rows, draws).

    Without random numbers all of it depends on each row alone.
    """
    n_draws = -(-len(z) // TAKEN)
    taken = _taken(z, log_w, n_draws).reshape(-1, z.shape[-1])
    seeds = _seeds(x) if rng is None else rng.integers(2**31, size=len(x))
    draw, repeated = _RowByRow(seeds, n_draws), np.repeat(x, n_draws, axis=0)
    height = max(1, HEIGHT // n_draws) * n_draws
    full, log_q = completed(model, repeated, taken, draw, height)
    log_own, log_first = (log_joint_of_rows(model, rows, taken) for rows in (full, repeated))
    log_v = (log_own - log_first - log_q).reshape(len(x), n_draws)
    return Completions(full.reshape(len(x), n_draws, -1), log_v, draw.cells)


class _RowByRow:
    """Draws cells row by row, each with a generator of its own."""

    def __init__(self, seeds: np.ndarray, n_draws: int):
        self.generators = list(map(np.random.default_rng, seeds))
        self.n_draws, self.cells = n_draws, []

    def __call__(self, cell: Drawn) -> np.ndarray:
        self.cells.append(cell)
        owners = cell.rows[:: self.n_draws] // self.n_draws  # blocks hold whole rows
        places = range(0, len(cell.rows), self.n_draws)
        return np.concatenate(
            [
                cell.sample(self.generators[owner], slice(place, place + self.n_draws))
                for owner, place in zip(owners, places, strict=True)
            ]
        )


def _taken(z: np.ndarray, log_w: np.ndarray, n: int) -> np.ndarray:
    """n of the draws z (draws, rows, d) of each row, by their weights (rows, draws)."""
    w = np.exp(log_w - logsumexp(log_w, axis=1, keepdims=True)).cumsum(axis=1)
    due = (np.arange(n) + 0.5) / n
    places = np.stack([np.searchsorted(own, due).clip(max=len(z) - 1) for own in w])
    return z[places, np.arange(len(w))[:, None]]


def _seeds(x: np.ndarray) -> np.ndarray:
    """A number of each row, by its bytes alone."""
    return (row_shifts(x, 1)[:, 0] * 2**24).astype(np.int64)


def log_joint_of_rows(model: Model, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """log p(x, z) of rows, each at its own point, (rows,)."""
    return by_row(_joint, model, HEIGHT, x.astype(np.float32), z)[0].astype(np.float64)


@takes(ROWS, LATENT)
def _joint(network: Network, w: dict, x: Any, z: Any) -> tuple:
    log_lik = network.log_likelihood(w, x, z[None], Inference())[0]
    return (log_lik + network.log_prior(w, z),)
