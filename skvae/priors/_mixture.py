from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, softmax
from sklearn.utils._param_validation import Interval

from skvae import _math as ops
from skvae.priors._base import Prior

NARROWEST = -3.0  # log-scale: with narrower components float32 would lose the distance to their means


class Mixture(Prior):
    """Mixture of normal distributions with means and scales of their own, trained with the rest.

    For tables with groups: rows drawn from one standard normal fall between groups too. The
    KL term has no closed form then; it is estimated from the draws, and `latent_kl_` is its
    total.

    Parameters
    ----------
    n_components : int, default=50

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

    def __init__(self, n_components=50):
        self.n_components = n_components

    def init(self, latent_dim: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        shape = self.n_components, latent_dim
        means = rng.standard_normal(shape, np.float32)  # apart from each other, where rows begin
        return {"logits": np.zeros(shape[0], np.float32), "mean": means, "log_scale": np.zeros(shape, np.float32)}

    def log_prob(self, w: dict, z: Any) -> Any:
        log_scale = _log_scale(w, ops)
        precision = ops.exp(-2.0 * log_scale)  # (components, d)
        square = (z * z) @ ops.transpose(precision) - 2.0 * z @ ops.transpose(w["mean"] * precision)
        constant = ops.sum(w["mean"] ** 2 * precision + 2.0 * log_scale + ops.LOG_2PI, axis=-1)
        return ops.logsumexp(ops.log_softmax(w["logits"]) - 0.5 * (square + constant), axis=-1)

    def sample(self, w: dict, noise: np.ndarray) -> np.ndarray:
        """The quantile of the first number chooses the component, and how far inside its share it lies is noise."""
        edges = np.append(0.0, softmax(w["logits"].astype(float)).cumsum())
        edges[-1] = 1.0
        u = ndtr(noise[..., 0].astype(float))
        k = np.searchsorted(edges[1:-1], u, side="right")
        rest = (u - edges[k]) / (edges[k + 1] - edges[k])
        noise = np.concatenate([ndtri(rest.clip(1e-7, 1 - 1e-7))[..., None], noise[..., 1:]], axis=-1, dtype=np.float32)
        return w["mean"][k] + np.exp(_log_scale(w, np)[k]) * noise

    def kl(self, w: dict, moments: tuple | None) -> Any:
        return None


def _log_scale(w: dict, xp: Any) -> Any:
    return NARROWEST + xp.logaddexp(w["log_scale"] - NARROWEST, 0.0)
