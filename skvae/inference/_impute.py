"""The missing cells of rows, given the observed ones."""

import numpy as np
from scipy.special import softmax

from skvae.inference._encode import cells, decode
from skvae.inference._proposals import weighted_draws
from skvae.model import Model
from skvae.table import Cells


def expected_cells(model: Model, x: Cells, n_draws: int) -> np.ndarray:
    """Conditional mean or most likely level of all cells of the rows with holes; zeros elsewhere."""
    filled, holes = np.zeros(x.shape), np.flatnonzero(x.rows_with_holes(np.ones(x.shape[1], bool)))
    likelihood, w = model.network.likelihood, model.learned()["likelihood"]
    for rows, z, log_w in weighted_draws(model, x.take(holes), n_draws):
        raw = np.concatenate(list(decode(model, z.reshape(-1, z.shape[-1]))))
        weights = softmax(log_w, axis=1).T
        filled[holes[rows]] = likelihood.point_of_mixture(
            w, raw.reshape(*weights.shape, -1), weights
        )
    return filled


def drawn_cells(model: Model, x: Cells, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of all cells of the rows with holes; zeros elsewhere."""
    filled, holes = np.zeros(x.shape), np.flatnonzero(x.rows_with_holes(np.ones(x.shape[1], bool)))
    sample = model.network.likelihood.sample
    for rows, z, log_w in weighted_draws(model, x.take(holes), n_draws):
        chosen = (log_w + rng.gumbel(size=log_w.shape)).argmax(axis=1)
        drawn = cells(model, z[chosen, np.arange(len(rows))], lambda w, raw: sample(w, raw, rng))
        filled[holes[rows]] = np.concatenate(list(drawn))
    return filled
