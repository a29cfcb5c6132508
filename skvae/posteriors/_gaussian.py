from typing import Any

from skvae._math import bounded, normal_log_prob, ops
from skvae.posteriors._base import Posterior

WIDEST = 3.0  # log-scale never exceeded: a row far from all others must not make the KL explode


class Gaussian(Posterior):
    """Normal distribution with a mean and a scale of its own in each latent dimension.

    References
    ----------
    Kingma, Welling (2014). Auto-Encoding Variational Bayes.

    Examples
    --------
    >>> from skvae.posteriors import Gaussian
    >>> Gaussian()
    Gaussian()
    """

    def n_raw(self, latent_dim: int) -> int:
        return 2 * latent_dim

    def sample(self, w: dict, raw: Any, noise: Any) -> tuple[Any, Any]:
        mean, log_scale = self.moments(w, raw)
        z = mean + ops.exp(log_scale) * noise
        log_q = ops.sum(normal_log_prob(noise, log_scale), axis=-1)
        return z, log_q

    def log_prob(self, w: dict, raw: Any, z: Any) -> Any:
        mean, log_scale = self.moments(w, raw)
        standard = (z - mean) * ops.exp(-log_scale)
        return ops.sum(normal_log_prob(standard, log_scale), axis=-1)

    def moments(self, w: dict, raw: Any) -> tuple[Any, Any]:
        mean, log_scale = ops.split(raw, 2, axis=-1)
        return mean, at_most(WIDEST, log_scale)

    def mean(self, w: dict, raw: Any) -> Any:
        return self.moments(w, raw)[0]


def at_most(largest: float, log_scale: Any) -> Any:
    """About the raw number where it is small, and smoothly never beyond `largest`."""
    return bounded(largest - ops.softplus(largest - log_scale))
