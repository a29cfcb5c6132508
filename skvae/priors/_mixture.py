from numbers import Integral
from typing import Any

import numpy as np

from skvae._math import at_least, normal_log_prob, ops
from skvae._sklearn import Interval
from skvae.priors._base import Prior
from skvae.priors._components import chosen

# Log-scale: the scale of the latent space is free, so nothing is lost, and gradients stay moderate
NARROWEST = -3.0


class Mixture(Prior):
    """Mixture of normal distributions with means and scales of their own, trained with the rest.

    For tables with groups: rows drawn from one standard normal fall between groups too. The
    KL term has no closed form then; it is estimated from the draws, and `latent_kl_` is its
    total.

    Parameters
    ----------
    n_components : int, default=50
        Normal distributions in the mixture.

    References
    ----------
    Dilokthanakul et al. (2016). Deep Unsupervised Clustering with Gaussian Mixture Variational
    Autoencoders.
    Tomczak, Welling (2018). VAE with a VampPrior.

    Examples
    --------
    >>> from skvae.priors import Mixture
    >>> Mixture(n_components=10)
    Mixture(n_components=10)
    """

    _parameter_constraints: dict = {"n_components": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_components: int = 50):
        self.n_components = n_components

    def init(self, latent_dim: int, rng: np.random.Generator, features: np.ndarray) -> dict:
        shape = self.n_components, latent_dim
        means = rng.standard_normal(shape, np.float32)  # apart from each other, where rows begin
        return {
            "logits": np.zeros(shape[0], np.float32),
            "mean": means,
            "log_scale": np.zeros(shape, np.float32),
        }

    def log_prob(self, w: dict, z: Any, q: Any) -> Any:
        log_scale = _log_scale(w, ops)
        centred = ops.expand_dims(z, -2) - w["mean"]  # (..., components, d)
        standard = centred * ops.exp(-log_scale)
        log_probs = ops.sum(normal_log_prob(standard, log_scale), axis=-1)
        return ops.logsumexp(ops.log_softmax(w["logits"]) + log_probs, axis=-1)

    def sample(self, w: dict, noise: np.ndarray, q: Any) -> np.ndarray:
        k, noise = chosen(w["logits"], noise)
        return w["mean"][k] + np.exp(_log_scale(w, np)[k]) * noise

    def width(self, latent_dim: int) -> int:
        return self.n_components * latent_dim


def _log_scale(w: dict, xp: Any) -> Any:
    return at_least(NARROWEST, w["log_scale"], xp)
