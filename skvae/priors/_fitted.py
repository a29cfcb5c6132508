import warnings
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skvae._math import normal_log_prob, ops
from skvae._sklearn import Interval
from skvae.priors._base import Prior
from skvae.priors._components import chosen
from skvae.priors._normal import Normal

FLOOR = 1e-4  # added to variances, which are about 1 in all


class Fitted(Prior):
    """Gaussian mixture with full covariances, fitted after training to latent points of its rows.

    Training goes by the standard normal distribution, so that each step costs no more, and
    the latent space is that of `prior="normal"`. What is drawn and scored goes by the mixture,
    which knows where the rows came to lie. A prior that is trained with the rest, such as
    `Mixture`, is mostly better.

    Parameters
    ----------
    n_components : int, default=20
        Normal distributions in the mixture.

    References
    ----------
    Ghosh et al. (2020). From Variational to Deterministic Autoencoders: ex-post density
    estimation.

    Examples
    --------
    >>> from skvae.priors import Fitted
    >>> Fitted(n_components=10)
    Fitted(n_components=10)
    """

    _parameter_constraints: dict = {"n_components": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_components: int = 20):
        self.n_components = n_components

    @property
    def in_training(self) -> Prior:
        return Normal()

    def init(self, latent_dim: int, rng: np.random.Generator, features: np.ndarray) -> dict:
        factor = np.eye(latent_dim)[None]
        return _arrays(np.ones(1), np.zeros((1, latent_dim)), factor, self.n_components)

    def fitted(self, z: np.ndarray, seed: int) -> dict:
        # takes longer to import than all of this package
        from sklearn.mixture import GaussianMixture

        n = min(self.n_components, len(z))
        mixture = GaussianMixture(n, reg_covar=FLOOR, random_state=seed)
        rows = np.resize(z.astype(float), (max(2, len(z)), z.shape[1]))  # it wants two
        with warnings.catch_warnings():
            # any mixture on the way there is a density
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(rows)
        factors = mixture.precisions_cholesky_
        return _arrays(mixture.weights_, mixture.means_, factors, self.n_components)

    def log_prob(self, w: dict, z: Any, q: Any) -> Any:
        k, d, _ = w["factor"].shape
        columns = ops.reshape(ops.transpose(w["factor"], (1, 0, 2)), (d, k * d))
        shift = ops.einsum("kd,kde->ke", w["mean"], w["factor"])
        standard = ops.reshape(ops.matmul(z, columns), (*ops.shape(z)[:-1], k, d)) - shift
        log_scale = -ops.log(ops.diagonal(w["factor"], axis1=-2, axis2=-1))
        log_probs = ops.sum(normal_log_prob(0.0, log_scale), axis=-1)
        log_probs -= 0.5 * ops.sum(standard * standard, axis=-1)
        return ops.logsumexp(ops.log_softmax(w["logits"]) + log_probs, axis=-1)

    def sample(self, w: dict, noise: np.ndarray, q: Any) -> np.ndarray:
        k, noise = chosen(w["logits"], noise)
        scale = np.linalg.inv(w["factor"])  # of draws, as rows: z = mean + noise @ scale
        return w["mean"][k] + np.einsum("ne,ned->nd", noise, scale[k])

    def width(self, latent_dim: int) -> int:
        return self.n_components * latent_dim


def _arrays(shares: np.ndarray, means: np.ndarray, factors: np.ndarray, n: int) -> dict:
    """The arrays of n components: where there are fewer, some stand for more than one."""
    k = np.resize(np.arange(len(shares)), n)
    arrays = {
        "logits": np.log(shares[k] / np.bincount(k)[k]),
        "mean": means[k],
        "factor": factors[k],
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()}
