from typing import Any, ClassVar

import numpy as np

from skvae import _math as ops
from skvae.likelihoods._base import Likelihood

MIN_MEAN = 1e-3  # a column of zeros still has a finite log-rate to start from
LARGEST = 2.0**24  # float32 holds no larger range of whole numbers


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
    support: ClassVar[str] = "counts (whole numbers from 0 to 16,777,216)"
    positive_only: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return (X >= 0) & (X <= LARGEST) & (np.floor(X) == X)

    def constants(self, x: np.ndarray) -> dict[str, np.ndarray]:
        log_mean = np.log(x.mean(axis=0, dtype=np.float64).clip(MIN_MEAN))
        seen = np.log1p(x)
        return {
            "log_mean": log_mean.astype(np.float32),
            "center": seen.mean(axis=0),
            "spread": np.maximum(seen.std(axis=0), np.float32(0.1)),
        }

    def features(self, w: dict, x: Any) -> Any:
        return (ops.log1p(x) - w["center"]) / w["spread"]

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        # x log(rate) - rate - log(x!), written so that large terms cancel on paper: with
        # d = log(rate / x) it is -x (exp(d) - 1 - d) - (log(x!) - x log(x) + x).
        log_rate = w["log_mean"] + ops.bounded(raw)
        positive = x > 0
        safe = ops.where(positive, x, 1.0)
        d = log_rate - ops.log(safe)
        deviance = ops.where(positive, safe * (ops.expm1(d) - d), ops.exp(log_rate))
        return -deviance - ops.where(positive, ops.stirling_remainder(safe), 0.0)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return np.exp(w["log_mean"] + ops.bounded(raw.astype(np.float64), np))

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.poisson(self.point(w, raw)).astype(np.float64)
