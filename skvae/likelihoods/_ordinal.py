from typing import Any, ClassVar

import numpy as np
from scipy.special import expit

from skvae._math import bounded, ops, take
from skvae.likelihoods import _slots
from skvae.likelihoods._base import Column, Likelihood, Size

BEYOND = 1e4  # stands for infinity: the logistic function is 0 or 1 there, also at the least slope
MAX_LOG_SLOPE = 3.0  # exp(3) is 20: levels that far apart are told apart for certain


class Ordinal(Likelihood):
    """One of several levels in order, by where the decoder's location falls among them.

    The logit of P(level <= k) is (threshold k - location) * slope: the decoder gives a
    location and a slope for each cell, and the thresholds are where location 0 and slope 1
    give the shares of the column. For ordered pandas categories. The encoder sees the
    levels one-hot; what comes back is the most likely level.

    References
    ----------
    McCullagh (1980). Regression Models for Ordinal Data.

    Examples
    --------
    >>> from skvae.likelihoods import Ordinal
    >>> Ordinal()
    Ordinal()
    """

    measure: ClassVar[str] = "mass"
    support: ClassVar[str] = "ordered levels"
    auto_for: ClassVar[tuple[str, ...]] = ("ordered",)
    has_slots: ClassVar[bool] = True
    over_levels: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return (X >= 0) & (np.floor(X) == X) & np.isfinite(X)

    def n_features(self, size: Size) -> int:
        return size.slots

    def n_raw(self, size: Size) -> int:
        return 2 * size.cells

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        arrays = _slots.constants(x, columns)
        log_shares = _slots.by_column(arrays, arrays["base"].astype(np.float64))
        ends = [_ends(np.exp(own)) for own in log_shares]
        below, above = np.concatenate([np.zeros((2, 0)), *ends], axis=1)
        log_gap = np.log(above - below)
        return _slots.with_more(arrays, below=below, above=above, log_gap=log_gap)

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return _slots.one_hot_seen(w, x, seen)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        # log(sigmoid(b) - sigmoid(a)) is log sigmoid(b) + log sigmoid(-a) + log(1 - exp(a - b)).
        location, log_slope = _location_and_log_slope(raw, ops)
        (own, exists), slope = _slots.slot(w, x), ops.exp(log_slope)
        b, a = ((take(w[end], own) - location) * slope for end in ("above", "below"))
        log_inside = ops.log(-ops.expm1(-ops.exp(take(w["log_gap"], own) + log_slope)))
        return ops.where(exists, ops.log_sigmoid(b) + ops.log_sigmoid(-a) + log_inside, 0.0)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return _slots.most_likely(self._probabilities(w, raw))

    def point_of_mixture(self, w: dict, raw: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return _slots.most_likely(_slots.mixture(self._probabilities(w, raw), weights))

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _slots.draws(self._probabilities(w, raw), rng)

    def _probabilities(self, w: dict, raw: np.ndarray) -> list[np.ndarray]:
        location, log_slope = _location_and_log_slope(raw.astype(np.float64), np)
        column = w["column"].clip(min=0).astype(np.intp)
        location, slope = location[..., column], np.exp(log_slope[..., column])
        b, a = (w["above"] - location) * slope, (w["below"] - location) * slope
        # From the side where the logistic function is small, so that no difference of ones is left.
        p = np.where(a > 0, expit(-a) - expit(-b), expit(b) - expit(a))
        return _slots.by_column(w, p)


def _ends(shares: np.ndarray) -> np.ndarray:
    """The thresholds below and above each level of a column, (2, levels)."""
    up, down = shares.cumsum(), shares[::-1].cumsum()[::-1]
    between = np.log(up[:-1]) - np.log(down[1:])
    thresholds = np.concatenate([[-BEYOND], between, [BEYOND]])
    return np.stack([thresholds[: len(shares)], thresholds[1 : len(shares) + 1]])


def _location_and_log_slope(raw: Any, xp: Any) -> tuple[Any, Any]:
    location, log_slope = xp.split(raw, 2, axis=-1)
    return bounded(location, xp), MAX_LOG_SLOPE * xp.tanh(log_slope * (1 / MAX_LOG_SLOPE))
