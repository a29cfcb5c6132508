from typing import Any, ClassVar

import numpy as np

from skvae._math import bounded, log1p_or_log, ops, stirling_remainder
from skvae.likelihoods import _counts
from skvae.likelihoods._base import Column, Likelihood, Size

# A column starts within these: from next to nothing but zeros to a Poisson.
INVERSE_DISPERSIONS = 1e-2, 1e4


class NegativeBinomial(Likelihood):
    """Counts that vary more than a `Poisson`'s, with the mean that the decoder gives.

    The variance is mean + mean^2 / r. The inverse dispersion r is learned per feature; it
    starts where it explains the variance of the column, and the mean at the column's. The
    encoder sees log(1 + count).

    References
    ----------
    Lopez et al. (2018). Deep generative modeling for single-cell transcriptomics.
    Hilbe (2011). Negative Binomial Regression.

    Examples
    --------
    >>> from skvae.likelihoods import NegativeBinomial
    >>> NegativeBinomial()
    NegativeBinomial()
    """

    measure: ClassVar[str] = "mass"
    auto_for: ClassVar[tuple[str, ...]] = ("count",)
    support: ClassVar[str] = _counts.SUPPORT
    positive_only: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return _counts.supports(X)

    def init(self, size: Size) -> dict[str, np.ndarray]:
        return {"log_r": np.zeros(size.cells, np.float32)}

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        mean = x.mean(axis=0, dtype=np.float64)
        variance = x.var(axis=0, dtype=np.float64)
        r = mean**2 / (variance - mean).clip(1e-6)
        return {
            **_counts.constants(x),
            "base_log_r": np.log(r.clip(*INVERSE_DISPERSIONS)).astype(np.float32),
        }

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return _counts.features(w, x, seen)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        # The deviance is x log(x / mean) - (x + r) log((x + r) / (mean + r)), and what is left at
        # mean = x holds only remainders of Stirling's formula; for large r both are the Poisson's.
        log_mean, r = self._log_mean(w, raw, ops), ops.exp(self._log_r(w, ops))
        positive = x > 0
        safe = ops.where(positive, x, 1.0)
        d = log_mean - ops.log(safe)
        share, rest = safe / (safe + r), r / (safe + r)
        deviance = safe * _log_mixture(rest, share, -d) + r * _log_mixture(share, rest, d)
        remainder = stirling_remainder(safe + r) - stirling_remainder(r) - stirling_remainder(safe)
        return ops.where(
            positive,
            remainder - ops.log1p(safe / r) - deviance,
            -r * ops.log1p(ops.exp(log_mean) / r),
        )

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return np.exp(self._log_mean(w, raw.astype(np.float64), np))

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mean = self.point(w, raw)
        r = np.exp(self._log_r(w, np).astype(np.float64))
        rate = np.minimum(rng.gamma(r, mean / r), _counts.LARGEST)
        return rng.poisson(rate).astype(np.float64).clip(max=_counts.LARGEST)

    def _log_mean(self, w: dict, raw: Any, xp: Any) -> Any:
        return w["log_mean"] + bounded(raw, xp)

    def _log_r(self, w: dict, xp: Any) -> Any:
        return w["base_log_r"] + bounded(w["log_r"], xp)


def _log_mixture(share: Any, rest: Any, d: Any) -> Any:
    """log(rest + share * exp(d)), where share + rest = 1."""
    return log1p_or_log(share * ops.expm1(d), rest + share * ops.exp(d))
