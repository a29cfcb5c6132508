"""Bounds of log p of rows."""

from typing import Any

import numpy as np
from scipy.special import logsumexp

from skvae._math import ops
from skvae.engine import DRAWS, ROWS, run, takes
from skvae.inference._blocks import height_of
from skvae.inference._completions import completions
from skvae.inference._noise import noise_of
from skvae.inference._proposals import weighted_draws
from skvae.model import Inference, Model, Network
from skvae.table import Cells


def log_likelihood(model: Model, x: Cells, n_draws: int) -> np.ndarray:
    """Importance-weighted lower bound of log p of each row's observed cells, in nats, (rows,)."""
    bounds = np.empty(len(x))
    holes = x.rows_with_holes(model.learned()["cells"]["varies"] > 0)
    for rows, draws in weighted_draws(model, x, n_draws):
        bounds[rows] = _log_mean(draws.log_w)
        if model.network.chain is not None and holes[rows].any():  # then so of all of them
            bounds[rows] += _log_mean(completions(model, x.take(rows)[:], draws).log_w)
    return bounds


def _log_mean(log_w: np.ndarray) -> np.ndarray:
    """The logarithm of the mean weight of each row."""
    return logsumexp(log_w, axis=1) - np.log(log_w.shape[1])


def lower_bound(model: Model, x: Cells, n_draws: int) -> tuple[float, np.ndarray]:
    """The ELBO in nats per row, and the nats that each latent dimension carries, (latent_dim,).

    Where the KL has no closed form, the second is its total, (1,).
    """
    log_liks: Any = 0.0
    kls: Any = 0.0
    height = height_of(model, n_draws)
    for start in range(0, len(x), height):
        block = x[start : start + height]
        log_lik, kl = run(_terms, model, block, noise_of(model, block, n_draws))
        log_liks += log_lik.sum(dtype=np.float64) / n_draws
        kls += kl.sum(axis=0, dtype=np.float64)
    kl = kls / len(x)
    return float(log_liks / len(x) - kl.sum()), kl


@takes(ROWS, DRAWS)
def _terms(network: Network, w: dict, x: Any, noise: Any) -> tuple:
    _, log_lik, log_ratio, kl = network.terms(w, x, noise, Inference())
    return log_lik, ops.mean(log_ratio, axis=0)[:, None] if kl is None else kl
