"""Cells that see each other, shifted to where the rows are."""

from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from skvae._math import ops
from skvae.engine import LATENT, ROWS, gradient_of, run, takes
from skvae.inference._blocks import height_of
from skvae.inference._encode import posterior_sample
from skvae.model import Model, Network
from skvae.table import Cells

STEPS = 2
MOST_ROWS = 40_000  # training rows that are looked at
FEW = 5.0  # curvature that holds each number where it is: of so many rows with a slope of 1
FURTHEST = 1.0  # that a step goes
WIDEST = 256  # numbers of a cell whose products are all looked at


class Sums(NamedTuple):
    """Sums over rows of the cells of a span."""

    log_lik: np.ndarray  # (cells,)
    slopes: np.ndarray  # of it in the numbers from which cells start, (cells, numbers)
    products: np.ndarray  # of a row's slopes, (cells, numbers, numbers); squares of many numbers


def calibrated(model: Model, x: Cells, rng: np.random.Generator) -> Model:
    """The model whose cells agree with training rows in the mean.

    Weights that small steps have trained are only near to where the likelihood is highest, and so
    are the shares of labels and bins that are drawn. So the numbers from which a cell starts, those
    of each label, say, are shifted, the same for all rows, by steps of Newton's kind with products
    of slopes for curvature (Berndt, Hall, Hall, Hausman 1974, Estimation and inference in nonlinear
    structural models). A step of a cell that does not make its rows more likely is not taken.
    """
    some = x.take(rng.permutation(len(x))[:MOST_ROWS])
    noise = rng.standard_normal((1, len(some), model.network.latent_dim), np.float32)
    z = posterior_sample(model, some, noise)[0]
    sums = _sums(model, some, z)
    for _ in range(STEPS):
        model, sums = _stepped(model, sums, some, z)
    return model


def _stepped(model: Model, sums: list, x: Cells, z: np.ndarray) -> tuple[Model, list]:
    """The model after a step of the cells whose rows it makes more likely, and its sums."""
    steps = list(map(_step, sums))
    after = _sums(model.shifted(steps), x, z)
    better = [new.log_lik > old.log_lik for new, old in zip(after, sums, strict=True)]
    both = zip(better, after, sums, strict=True)
    sums = [Sums(*map(partial(_where, ok), new, old)) for ok, new, old in both]
    return model.shifted(list(map(_where, better, steps))), sums


def _where(ok: np.ndarray, first: np.ndarray, second: Any = 0.0) -> np.ndarray:
    """The first of two arrays for some cells, and the second for the others."""
    return np.where(ok.reshape(-1, *(1,) * (first.ndim - 1)), first, second)


def _step(sums: Sums) -> np.ndarray:
    """By how much numbers are too low, about, (cells, numbers)."""
    _, slopes, products = sums
    if products.ndim == 2:
        step = slopes / (products + FEW)
    else:
        held = products + FEW * np.eye(slopes.shape[1])
        step = np.linalg.solve(held, slopes[..., None])[..., 0]
    furthest = np.abs(step).max(axis=1, keepdims=True, initial=FURTHEST)
    return (step * FURTHEST / furthest).astype(np.float32)


def _sums(model: Model, x: Cells, z: np.ndarray) -> list[Sums]:
    """Those of the cells of each span."""
    height, found = height_of(model, 1), list[Any]()
    for start in range(0, len(x), height):
        rows = slice(start, start + height)
        own = [part.astype(np.float64) for part in run(_parts, model, x[rows], z[rows])]
        found = list(map(np.add, found, own)) if found else own
    return list(map(Sums, found[::3], found[1::3], found[2::3]))


@takes(ROWS, LATENT)
def _parts(network: Network, w: dict, x: Any, z: Any) -> tuple:
    """The sums of the cells of each span, one after the other."""
    starts, log_lik = network.starts(w, x), partial(network.started, w, x, z[None])
    by_cell, slopes = ops.sum(log_lik(starts), axis=(0, 1)), gradient_of(log_lik, starts)
    spans = zip(_apart(by_cell, slopes), slopes, strict=True)
    parts = ((cells, ops.sum(own, axis=1), _products(own)) for cells, own in spans)
    return tuple(chain.from_iterable(parts))


def _apart(by_cell: Any, spans: list) -> list:
    """Numbers of all cells, by spans that are as arrays of so many cells are."""
    sizes = [own.shape[0] for own in spans]
    ends = np.cumsum(sizes).tolist()
    return [by_cell[end - n : end] for end, n in zip(ends, sizes, strict=True)]


def _products(slopes: Any) -> Any:
    """Sums over rows of the products of slopes, or of squares where there are many."""
    if slopes.shape[-1] > WIDEST:
        return ops.sum(slopes * slopes, axis=1)
    return ops.matmul(ops.transpose(slopes, (0, 2, 1)), slopes)
