from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logit

from skvae._math import bounded, log1p_or_log, ops, stirling_remainder
from skvae.likelihoods._base import Column, Likelihood, Size

MIN_MEAN = 1e-4  # the mean is at least so far from 0 and 1
LOWEST, HIGHEST = 1e-30, 1 - 2.0**-24  # float32 holds no number closer to 1
PRECISIONS = 0.1, 1e4  # a column starts within these


class Beta(Likelihood):
    """Shares strictly between 0 and 1, with the mean and the precision that the decoder gives.

    The variance is mean * (1 - mean) / (1 + precision). For shares that may be exactly 0
    there is `ZeroInflated(likelihood="beta")`; for grey values from 0 to 1 there is
    `ContinuousBernoulli`.

    References
    ----------
    Ferrari, Cribari-Neto (2004). Beta Regression for Modelling Rates and Proportions.

    Examples
    --------
    >>> from skvae.likelihoods import Beta
    >>> Beta()
    Beta()
    """

    measure: ClassVar[str] = "density"
    support: ClassVar[str] = "numbers strictly between 0 and 1"
    positive_only: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return (X > 0) & (X < 1)

    def n_raw(self, size: Size) -> int:
        return 2 * size.cells

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        x = x.astype(np.float64)
        mean = x.mean(axis=0).clip(2 * MIN_MEAN, 1 - 2 * MIN_MEAN)
        precision = mean * (1 - mean) / x.var(axis=0).clip(1e-12) - 1
        return {
            "base_logit": logit((mean - MIN_MEAN) / (1 - 2 * MIN_MEAN)).astype(np.float32),
            "base_log_precision": np.log(precision.clip(*PRECISIONS)).astype(np.float32),
            "center": mean.astype(np.float32),
            "spread": x.std(axis=0).clip(MIN_MEAN).astype(np.float32),
        }

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return seen * (x - w["center"]) / w["spread"]

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        # With a = mean * precision and b = rest * precision the large terms of the Gamma functions
        # and of the powers make up precision * KL((mean, rest), (x, 1 - x)); small ones remain.
        logits, log_precision = self._logits_and_log_precision(w, raw, ops)
        mean, rest = _inside(ops.sigmoid(logits)), _inside(ops.sigmoid(-logits))
        precision = ops.exp(log_precision)
        x = ops.clip(x, LOWEST, HIGHEST)
        log_x = log1p_or_log((x - mean) / mean, x / mean)
        log_rest = log1p_or_log((mean - x) / rest, (1.0 - x) / rest)
        whole, *shares = (stirling_remainder(precision * share) for share in (1.0, mean, rest))
        log_slope = ops.log(mean / x) + ops.log(rest / (1.0 - x)) + log_precision
        large = precision * (mean * log_x + rest * log_rest)
        return large + whole - shares[0] - shares[1] + log_slope

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return _inside(expit(self._logits_and_log_precision(w, raw.astype(np.float64), np)[0]))

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        logits, log_precision = self._logits_and_log_precision(w, raw.astype(np.float64), np)
        precision = np.exp(log_precision)
        a, b = _inside(expit(logits)) * precision, _inside(expit(-logits)) * precision
        return rng.beta(a, b).clip(LOWEST, HIGHEST)

    def _logits_and_log_precision(self, w: dict, raw: Any, xp: Any) -> tuple[Any, Any]:
        logits, log_precision = xp.split(bounded(raw, xp), 2, axis=-1)
        return w["base_logit"] + logits, w["base_log_precision"] + log_precision


def _inside(mean: Any) -> Any:
    return MIN_MEAN + (1 - 2 * MIN_MEAN) * mean
