from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtri

from skvae._math import bounded, ops, split, take
from skvae._sklearn import Interval
from skvae.likelihoods import _slots
from skvae.likelihoods._base import Column, Likelihood, Size, mean_and_deviation
from skvae.likelihoods._grid import INSIDE, Grid


class Histogram(Likelihood):
    """Real numbers of any shape: bins between quantiles, and single values that repeat.

    For columns that are skewed, have several modes, or repeat exact values, such as an
    income that is mostly zero: the density is even inside a bin, and a value that makes up
    `min_share` of the column has a probability of its own. Whole numbers of at most
    2 * `n_bins` different values have no bins, only such probabilities. Outside of the
    values seen in `fit` the density is small but not zero; draws stay within them. A few values
    that lie more than ten times as far from all others as these reach, as typing errors of many
    digits do, have a bin of their own, and count as the next to them in means.

    Parameters
    ----------
    n_bins : int, default=50
        Most bins of a column, but for narrower ones at its ends.
    min_share : float, default=0.005
        Smallest share of rows that makes an atom of a value; at least 5 rows.

    Examples
    --------
    >>> from skvae.likelihoods import Histogram
    >>> Histogram(n_bins=20)
    Histogram(n_bins=20)
    """

    measure: ClassVar[str] = "mixed"
    support: ClassVar[str] = "real numbers"
    has_slots: ClassVar[bool] = True
    auto_for: ClassVar[tuple[str, ...]] = ("integer", "datetime", "duration")

    _parameter_constraints: dict = {
        "n_bins": [Interval(Integral, 1, 800, closed="both")],
        "min_share": [Interval(Real, 1e-3, 1, closed="both")],
    }

    def __init__(self, n_bins: int = 50, min_share: float = 0.005):
        self.n_bins = n_bins
        self.min_share = min_share

    def supports(self, X: np.ndarray) -> np.ndarray:
        return np.isfinite(X)

    def location_and_scale(self, X: np.ndarray) -> tuple[float, float]:
        return mean_and_deviation(X)

    def placement(self, X: np.ndarray, min_count: int = 1) -> Grid:
        return Grid.learn(X, self.n_bins, self.min_share, min_count)

    def n_features(self, size: Size) -> int:
        return size.slots + size.cells

    def n_raw(self, size: Size) -> int:
        return size.slots + 2 * size.cells

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        arrays = _slots.constants(x, columns)
        log_shares = _slots.by_column(arrays, arrays["base"])
        means: list = [column.points for column in columns if column.n_slots]
        scores = [_normal_scores(np.exp(own)) for own in log_shares]
        none = np.zeros(0)
        points, score = np.concatenate([none, *means]), np.concatenate([none, *scores])
        return _slots.with_more(arrays, means=points, score=score)

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        score = seen * take(w["score"], _slots.slot(w, x)[0])
        return ops.concatenate([_slots.one_hot_seen(w, x, seen), score], axis=-1)

    def raw_of(self, w: dict, log_probs: np.ndarray) -> np.ndarray:
        untilted = np.zeros((*log_probs.shape[:-1], 2), np.float32)
        return np.concatenate([_slots.raw_of(w, log_probs), untilted], axis=-1)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        return _slots.log_prob(w, x, self._logits(w, raw, ops))

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        parts = zip(self._probabilities(w, raw), _slots.by_column(w, w["means"]), strict=True)
        return np.stack([p @ means for p, means in parts], axis=-1)

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        codes = _slots.draws(self._probabilities(w, raw), rng)
        return codes + rng.uniform(0.0, INSIDE, codes.shape)

    def _probabilities(self, w: dict, raw: np.ndarray) -> list[np.ndarray]:
        return _slots.probabilities(w, self._logits(w, raw, np))

    def _logits(self, w: dict, raw: Any, xp: Any) -> Any:
        """Of each slot, tilted by its normal score: columns depend on each other by order first."""
        n_slots, n_cells = w["base"].shape[-1], w["start"].shape[-1]
        columns = xp.swapaxes(_slots.membership(w, xp), 0, 1)
        own, *by_cell = split(raw, [n_slots, n_cells, n_cells])
        tilt, bend = (xp.matmul(part, columns) for part in by_cell)
        score = w["score"]
        return w["base"] + bounded(own + tilt * score + bend * (score * score - 1.0), xp)


def _normal_scores(shares: np.ndarray) -> np.ndarray:
    """The standard normal's quantiles at the middle of each slot's share."""
    return ndtri((shares.cumsum() - shares / 2) / shares.sum())
