from typing import Any, ClassVar

import numpy as np

from skvae._math import bounded, normal_log_prob, ops
from skvae.likelihoods import _scale
from skvae.likelihoods._base import Column, Likelihood, Size

MIN_SPREAD = 1e-4  # float32 tells hardly finer ratios apart
SMALLEST = 1e-37  # a filler may be 0 or negative; next to float32's smallest
MAX_EXPONENT = 700.0  # exp of it is still finite


class Lognormal(Likelihood):
    """Positive numbers whose logarithm is normal around the decoder's location.

    For amounts, durations and concentrations, which vary by factors. The deviation of the
    logarithm is learned per feature, and stays above 1e-3 of the column's own. What comes
    back is the mean of the distribution, which is larger than its median. For columns that
    also hold exact zeros there is `ZeroInflated(likelihood="lognormal")`.

    References
    ----------
    Crow, Shimizu (1988). Lognormal Distributions: Theory and Applications.

    Examples
    --------
    >>> from skvae.likelihoods import Lognormal
    >>> Lognormal()
    Lognormal()
    """

    measure: ClassVar[str] = "density"
    support: ClassVar[str] = "positive numbers"
    positive_only: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return (X > 0) & np.isfinite(X)

    def location_and_scale(self, X: np.ndarray) -> tuple[float, float]:
        return 0.0, float(np.exp(np.log(X).mean()))

    def init(self, size: Size) -> dict[str, np.ndarray]:
        return _scale.init("feature", size)

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        log_x = np.log(np.maximum(x, SMALLEST), dtype=np.float64)
        arrays = {"center": log_x.mean(axis=0), "spread": log_x.std(axis=0).clip(MIN_SPREAD)}
        return {name: array.astype(np.float32) for name, array in arrays.items()}

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return seen * self._standardised_log(w, x)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        mean, log_scale = _scale.location_and_log_scale("feature", w, bounded(raw), ops)
        residual = (self._standardised_log(w, x) - mean) * ops.exp(-log_scale)
        log_slope = -ops.log(w["spread"]) - ops.log(ops.maximum(x, SMALLEST))
        return normal_log_prob(residual, log_scale) + log_slope

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        mean, deviation = self._mean_and_deviation_of_log(w, raw)
        return np.exp(np.minimum(mean + 0.5 * deviation**2, MAX_EXPONENT))

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        logs = rng.normal(*self._mean_and_deviation_of_log(w, raw))
        return np.exp(logs.clip(-MAX_EXPONENT, MAX_EXPONENT))

    def _standardised_log(self, w: dict, x: Any) -> Any:
        return (ops.log(ops.maximum(x, SMALLEST)) - w["center"]) / w["spread"]

    def _mean_and_deviation_of_log(self, w: dict, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raw = bounded(raw.astype(np.float64), np)
        mean, log_scale = _scale.location_and_log_scale("feature", w, raw, np)
        scale = np.exp(log_scale.astype(np.float64))
        return w["center"] + w["spread"] * mean, w["spread"] * scale
