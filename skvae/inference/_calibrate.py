"""Cells that see each other, shifted to where the rows are."""

from functools import partial
from typing import Any

import numpy as np
from keras import ops

from skvae.engine import LATENT, ROWS, gradient_of, run, takes
from skvae.inference._blocks import in_blocks
from skvae.inference._encode import posterior_sample
from skvae.model import Model, Network
from skvae.table import Cells

STEPS = 2
MOST_ROWS, HEIGHT = 40_000, 768  # training rows that are looked at, and at once
FEW = 5.0  # rows that hold each number where it is
FURTHEST = 1.0  # that a step goes
WIDEST = 1024  # numbers of a cell: more of them are left as they are


def calibrated(model: Model, x: Cells, rng: np.random.Generator) -> Model:
    """The model whose cells agree with training rows in the mean.

    Weights that small steps have trained are only near to where the likelihood is highest, and so
    are the shares of labels and bins that are drawn. So the numbers from which a cell starts, those
    of each label, say, are shifted, the same for all rows, by steps of Fisher scoring (McCullagh,
    Nelder 1989, Generalized Linear Models, 2.5), which leave all that weights say of one row and
    not of another.
    """
    some = x.take(rng.permutation(len(x))[:MOST_ROWS])
    for _ in range(STEPS):
        noise = rng.standard_normal((1, len(some), model.network.latent_dim), np.float32)
        z = posterior_sample(model, some, noise)[0]
        model = model.shifted(_shifts(model, some, z))
    return model


def _shifts(model: Model, x: Cells, z: np.ndarray) -> list[np.ndarray]:
    """By how much the numbers of the cells of each span are too low, (cells, numbers)."""
    found = []
    for n, (rows, points) in in_blocks(HEIGHT, x, z):
        rows[n:] = np.nan  # of which no cell counts
        own = [part.astype(np.float64) for part in run(_slopes, model, rows, points)]
        found = list(map(np.add, found, own)) if found else own
    return list(map(_shift, found[::2], found[1::2]))


def _shift(slopes: np.ndarray, products: np.ndarray) -> np.ndarray:
    """One step of cells, (cells, numbers), by sums over rows of slopes and of their products."""
    if not products.size:
        return np.zeros(slopes.shape, np.float32)
    held = products + FEW * np.eye(slopes.shape[1])
    steps = np.linalg.solve(held, slopes[..., None])[..., 0]
    return steps.clip(-FURTHEST, FURTHEST).astype(np.float32)


@takes(ROWS, LATENT)
def _slopes(network: Network, w: dict, x: Any, z: Any) -> tuple:
    """Of log p(x | z) in the numbers from which cells start, and their products, over rows."""
    log_lik = partial(network.chained, w, x, z[None], network.own_order)
    sums = []
    for own in gradient_of(log_lik, network.starts(w, x)):
        few = own if own.shape[-1] <= WIDEST else own[..., :0]
        sums += [ops.sum(own, axis=1), ops.matmul(ops.transpose(few, (0, 2, 1)), few)]
    return tuple(sums)
