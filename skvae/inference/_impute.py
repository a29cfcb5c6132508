"""The missing cells of rows, given the observed ones."""

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from skvae.inference._encode import cells, decode
from skvae.inference._proposals import weighted_draws
from skvae.model import Model
from skvae.table import Cells


def expected_cells(model: Model, x: Cells, n_draws: int) -> np.ndarray:
    """Conditional mean or most likely level of all cells of rows with holes; zeros elsewhere."""
    likelihood, w = model.network.likelihood, model.learned()["likelihood"]

    def expected(z: np.ndarray, log_w: np.ndarray) -> np.ndarray:
        raw = np.concatenate(list(decode(model, z.reshape(-1, z.shape[-1]))))
        weights = softmax(log_w, axis=1).T
        return likelihood.point_of_mixture(w, raw.reshape(*weights.shape, -1), weights)

    return _filled(model, x, n_draws, expected)


def drawn_cells(model: Model, x: Cells, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of all cells of the rows with holes; zeros elsewhere."""
    sample = model.network.likelihood.sample

    def drawn(z: np.ndarray, log_w: np.ndarray) -> np.ndarray:
        chosen = (log_w + rng.gumbel(size=log_w.shape)).argmax(axis=1)
        z = z[chosen, np.arange(len(chosen))]
        return np.concatenate(list(cells(model, z, lambda w, raw: sample(w, raw, rng))))

    return _filled(model, x, n_draws, drawn)


def _filled(model: Model, x: Cells, n_draws: int, read: Callable) -> np.ndarray:
    """What `read` makes of weighted draws of z, of the rows with holes; zeros elsewhere."""
    filled, holes = np.zeros(x.shape), np.flatnonzero(x.rows_with_holes(np.ones(x.shape[1], bool)))
    for rows, *draws in weighted_draws(model, x.take(holes), n_draws):
        filled[holes[rows]] = read(*draws)
    return filled
