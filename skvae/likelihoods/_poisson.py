from typing import Any, ClassVar

import numpy as np

from skvae._math import bounded, ops, stirling_remainder
from skvae.likelihoods import _counts
from skvae.likelihoods._base import Column, Likelihood


class Poisson(Likelihood):
    """Counts, with the rate that the decoder gives.

    The rate starts at the column's mean, and the encoder sees log(1 + count).

    References
    ----------
    Zhao et al. (2020). Variational Autoencoders for Sparse and Overdispersed Discrete Data.

    Examples
    --------
    >>> from skvae.likelihoods import Poisson
    >>> Poisson()
    Poisson()
    """

    measure: ClassVar[str] = "mass"
    support: ClassVar[str] = _counts.SUPPORT
    positive_only: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return _counts.supports(X)

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        return _counts.constants(x)

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return _counts.features(w, x, seen)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        # x log(rate) - rate - log(x!), written so that large terms cancel on paper: with
        # d = log(rate / x) it is -x (exp(d) - 1 - d) - (log(x!) - x log(x) + x).
        log_rate = w["log_mean"] + bounded(raw)
        positive = x > 0
        safe = ops.where(positive, x, 1.0)
        d = log_rate - ops.log(safe)
        deviance = ops.where(positive, safe * (ops.expm1(d) - d), ops.exp(log_rate))
        return -deviance - ops.where(positive, stirling_remainder(safe), 0.0)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return np.exp(w["log_mean"] + bounded(raw.astype(np.float64), np))

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rate = np.minimum(self.point(w, raw), _counts.LARGEST)
        return np.minimum(rng.poisson(rate).astype(float), _counts.LARGEST)
