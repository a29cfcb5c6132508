from typing import Any, ClassVar

import numpy as np

from skvae._math import ops
from skvae.likelihoods._base import Likelihood, in_unit_interval

NEAR_ZERO = 0.3  # below it the series are exact to float32, above it the formulas are


class ContinuousBernoulli(Likelihood):
    r"""Density on [0, 1] proportional to :math:`\lambda^x (1 - \lambda)^{1 - x}`.

    For grey values and other shares, where the Bernoulli's cross-entropy is no density.
    The decoder gives the logit of lambda; what comes back is the mean, which differs from
    lambda.

    References
    ----------
    Loaiza-Ganem, Cunningham (2019). The continuous Bernoulli: fixing a pervasive error in
    variational autoencoders.

    Examples
    --------
    >>> from skvae.likelihoods import ContinuousBernoulli
    >>> ContinuousBernoulli()
    ContinuousBernoulli()
    """

    measure: ClassVar[str] = "density"
    support: ClassVar[str] = "numbers between 0 and 1"
    positive_only: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return in_unit_interval(X)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        # With h half the logit, the density is exp((2x - 1) h) h / sinh(h).
        h = 0.5 * raw
        return (2.0 * x - 1.0) * h - _log_sinh_ratio(h)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        h = 0.5 * raw.astype(np.float64)
        near = np.abs(h) < NEAR_ZERO
        safe = np.where(near, 1.0, h)
        series = h / 3 - h**3 / 45 + 2 * h**5 / 945 - h**7 / 4725
        return 0.5 + 0.5 * np.where(near, series, 1 / np.tanh(safe) - 1 / safe)

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        u = rng.random(raw.shape)
        falling = -np.abs(raw.astype(np.float64))  # the density falls from 0 to 1; mirrored below
        near = falling > -1e-6
        safe = np.where(near, -1.0, falling)
        x = np.where(near, u, np.log1p(u * np.expm1(safe)) / safe)
        return np.where(raw > 0, 1 - x, x)


def _log_sinh_ratio(h: Any) -> Any:
    """log(sinh(h) / h)."""
    near = ops.abs(h) < NEAR_ZERO
    small = ops.where(near, h, 0.0)
    squared = small * small
    series = squared * (1 / 6 - squared * (1 / 180 - squared * (1 / 2835 - squared / 37800)))
    large = ops.where(near, 1.0, ops.abs(h))
    log_two_sinh = large + ops.log1p(-ops.exp(-2.0 * large))
    return ops.where(near, series, log_two_sinh - ops.log(2.0 * large))
