from math import isqrt
from typing import Any

import numpy as np

from skvae._math import normal_log_prob, ops, take
from skvae.posteriors._base import Posterior
from skvae.posteriors._gaussian import WIDEST, at_most


class FullGaussian(Posterior):
    """Normal distribution with a covariance matrix of its own for each row.

    For latent points whose dimensions depend on each other given the row. The encoder gives
    the Cholesky factor of the covariance, latent_dim * (latent_dim + 1) / 2 numbers. The KL
    term is estimated from the draws, and `latent_kl_` is its total.

    References
    ----------
    Kingma, Welling (2019). An Introduction to Variational Autoencoders, section 2.5.1.

    Examples
    --------
    >>> from skvae.posteriors import FullGaussian
    >>> FullGaussian()
    FullGaussian()
    """

    def n_raw(self, latent_dim: int) -> int:
        return latent_dim * (latent_dim + 3) // 2

    def sample(self, w: dict, raw: Any, noise: Any) -> tuple[Any, Any]:
        mean, log_scale, factor = _parts(raw)
        z = mean + ops.squeeze(factor @ noise[..., None], axis=-1)
        return z, ops.sum(normal_log_prob(noise, log_scale), axis=-1)

    def log_prob(self, w: dict, raw: Any, z: Any) -> Any:
        mean, log_scale, factor = _parts(raw)
        rest = (z - mean)[..., None]
        factor = ops.broadcast_to(factor, (*ops.shape(rest)[:-1], factor.shape[-1]))
        noise = ops.squeeze(ops.solve_triangular(factor, rest, lower=True), axis=-1)
        return ops.sum(normal_log_prob(noise, log_scale), axis=-1)

    def mean(self, w: dict, raw: Any) -> Any:
        return raw[..., : _latent_dim(raw)]


def _parts(raw: Any) -> tuple[Any, Any, Any]:
    """Mean, log of the Cholesky factor's diagonal, (..., d) each, and the factor, (..., d, d)."""
    d = _latent_dim(raw)
    mean, log_scale, below = raw[..., :d], at_most(WIDEST, raw[..., d : 2 * d]), raw[..., 2 * d :]
    diagonal = ops.exp(log_scale)
    numbers = ops.concatenate([below, diagonal, ops.zeros_like(diagonal[..., :1])], axis=-1)
    factor = take(numbers, _places(d).ravel(), axis=-1)
    return mean, log_scale, ops.reshape(factor, (*ops.shape(factor)[:-1], d, d))


def _places(d: int) -> np.ndarray:
    """Where a factor's numbers stand, (d, d): those below its diagonal, those on it, a zero."""
    n_below = d * (d - 1) // 2
    places = np.full((d, d), n_below + d)  # of the zero
    places[np.tril_indices(d, -1)] = np.arange(n_below)
    places[np.diag_indices(d)] = n_below + np.arange(d)
    return places


def _latent_dim(raw: Any) -> int:
    return (isqrt(8 * raw.shape[-1] + 9) - 3) // 2
