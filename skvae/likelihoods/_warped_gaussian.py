from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import norm, t

from skvae._math import at_least, bounded, cast, ops, take
from skvae.likelihoods import _scale
from skvae.likelihoods._base import Column, Likelihood, Size, mean_and_deviation
from skvae.likelihoods._warp import LATTICE, Warp, lattice_place

# Shares of a normal at which what makes means is cut: even ones and, towards the ends, halves
TAIL = 0.5 ** np.arange(30, 6, -1)
SHARES = np.concatenate([[0.0], TAIL, np.arange(1, 64) / 64, 1 - TAIL[::-1], [1.0]])
WEIGHTS = np.diff(SHARES)
DF = 2  # of the wide noise, whose tails fall so slowly that no cell decides the score of a table
NODES = -np.diff(norm.pdf(ndtri(SHARES))), -np.diff((DF + t.ppf(SHARES, DF) ** 2) ** -0.5)
NORMAL_NODES, T_NODES = (NODES / WEIGHTS).astype(np.float32)  # means of the parts
SCORES = LATTICE[:, None].astype(np.float32)
LOG_ODDS, LEAST_LOG_ODDS = np.log([1e-2, 1e-4], dtype=np.float32)  # of wide noise: at first, least
LEAST_LOG_WIDE = np.float32(np.log(0.1))  # of its scale where that of other noise goes by cell


class WarpedGaussian(Likelihood):
    """Normal distribution after a monotone map of each column to normal scores.

    For real numbers of any shape: skewed ones, several modes, heavy tails. The map is learned in
    `fit` from the column alone, such that the column is about standard normal behind it; scores
    count its slope, so that this is a density in the units of X, comparable with those of other
    densities. Draws stay within the values seen in `fit`. Values that repeat, such as exact zeros,
    come back only about as they were: `Histogram` gives them a probability of their own. The
    encoder sees a cell twice: its standardised value (no far one, but the nearest that is not), and
    its normal score.

    A few values that lie more than ten times as far from all others as these reach, as typing
    errors of many digits do, hardly count, and move no means. Under `heavy_tails` the noise of a
    learned share of the cells of a column, at most a half, is Student's t with two degrees of
    freedom and a larger scale of its own.

    Parameters
    ----------
    scale : {"feature", "shared", "cell"} or float, default="feature"
        Standard deviation of the normal noise on the scale of normal scores: one learned per
        feature; one learned and shared by all features; one that the decoder gives for each cell;
        or a fixed number. A learned scale stays above 1e-3.
    heavy_tails : bool, default=False
        Whether the noise of some cells is Student's t. Then cells that the rest of a table does not
        foretell, such as rare values and typing errors, cost some ten or twenty nats and do not
        decide the score of all rows; but filled cells of columns with many zeros are worse.

    References
    ----------
    Tukey (1960). A Survey of Sampling from Contaminated Distributions.
    Snelson, Rasmussen, Ghahramani (2004). Warped Gaussian Processes.
    Liu, Lafferty, Wasserman (2009). The Nonparanormal: Semiparametric Estimation of High
    Dimensional Undirected Graphs.

    Examples
    --------
    >>> from skvae.likelihoods import WarpedGaussian
    >>> WarpedGaussian(scale="cell")
    WarpedGaussian(scale='cell')
    """

    measure: ClassVar[str] = "density"
    auto_for: ClassVar[tuple[str, ...]] = ("float",)
    support: ClassVar[str] = "real numbers"

    _parameter_constraints: dict = {"scale": _scale.CONSTRAINT, "heavy_tails": ["boolean"]}

    def __init__(self, scale: str = "feature", *, heavy_tails: bool = False):
        self.scale = scale
        self.heavy_tails = heavy_tails

    def supports(self, X: np.ndarray) -> np.ndarray:
        return np.isfinite(X)

    def location_and_scale(self, X: np.ndarray) -> tuple[float, float]:
        return mean_and_deviation(X)

    def placement(self, X: np.ndarray, min_count: int = 1) -> Warp:
        return Warp.learn(X, min_count)

    def n_features(self, size: Size) -> int:
        return 2 * size.cells

    def n_raw(self, size: Size) -> int:
        return _scale.n_raw(self.scale, size)

    def init(self, size: Size) -> dict[str, np.ndarray]:
        own = _scale.init(self.scale, size)
        return own | _wide_init(size) if self.heavy_tails else own

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        none = np.zeros(len(LATTICE))
        values = [none if column.points is None else column.points for column in columns]
        own = {"values": np.stack(values, axis=-1).astype(np.float32)}
        if not self.heavy_tails:
            return own
        return own | {"reach": np.transpose(list(map(_reach, values))).astype(np.float32)}

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return ops.concatenate([_at(w["values"], x, ops) * seen, x * seen], axis=-1)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        narrow = _scale.normal_log_prob(self.scale, w, x, raw)
        return self._log_mixture(w, x, raw, narrow) if self.heavy_tails else narrow

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        narrow = self._narrow_point(w, raw)
        return self._mixture_point(w, raw, narrow) if self.heavy_tails else narrow

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        narrow = _scale.normal_draw(self.scale, w, raw, rng)
        return self._mixture_sample(w, raw, narrow, rng) if self.heavy_tails else narrow

    def _wide(self, w: dict, raw: Any, xp: Any) -> tuple[Any, Any, Any]:
        """Of wide noise: its place, the logarithm of its scale (by column), and its log-odds."""
        mean, log_scale = _scale.location_and_log_scale(self.scale, w, raw, xp)
        least = LEAST_LOG_WIDE if self.scale == "cell" else log_scale
        log_wide = at_least(least, bounded(w["log_wide"], xp), xp)
        log_odds = at_least(LEAST_LOG_ODDS, bounded(w["log_odds"], xp), xp)
        return mean, log_wide, -at_least(0.0, -log_odds, xp)  # at most even ones

    def _log_mixture(self, w: dict, x: Any, raw: Any, narrow: Any) -> Any:
        mean, log_wide, log_odds = self._wide(w, raw, ops)
        wide = _log_t((x - mean) * ops.exp(-log_wide)) - log_wide
        return ops.logaddexp(narrow, wide + log_odds) - ops.softplus(log_odds)

    def _narrow_point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        mean, log_scale = _scale.location_and_log_scale(self.scale, w, raw, np)
        values, scale = w["values"], np.exp(log_scale)
        if self.scale == "cell":
            return _expected(values, mean, scale, NORMAL_NODES)
        return _at(_expected(values, SCORES, scale, NORMAL_NODES), mean, np)  # once for all cells

    def _mixture_point(self, w: dict, raw: np.ndarray, narrow: np.ndarray) -> np.ndarray:
        mean, log_wide, log_odds = self._wide(w, raw, np)
        wide = _at(_expected(w["values"], SCORES, np.exp(log_wide), T_NODES), mean, np)
        return narrow + expit(log_odds) * (wide - narrow)

    def _mixture_sample(
        self, w: dict, raw: np.ndarray, narrow: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        mean, log_wide, log_odds = self._wide(w, raw, np)
        wide = mean + np.exp(log_wide) * rng.standard_t(DF, mean.shape)
        is_wide = rng.random(mean.shape) < expit(log_odds)
        return np.where(is_wide, wide.clip(*w["reach"]), narrow)


def _wide_init(size: Size) -> dict[str, np.ndarray]:
    """The log-odds that noise is wide, and the logarithm of its scale, of each column."""
    zeros = np.zeros(size.cells, np.float32)
    return {"log_odds": zeros + LOG_ODDS, "log_wide": zeros}


def _log_t(x: Any) -> Any:
    """Log-density of Student's t with two degrees of freedom."""
    return -1.5 * ops.log(2.0 + x * x)


def _reach(values: np.ndarray) -> np.ndarray:
    """The scores between which values, given at those of the lattice, still differ."""
    ends = np.searchsorted(values, values[0], "right") - 1, np.searchsorted(values, values[-1])
    return LATTICE[sorted(ends)]


def _expected(
    values: np.ndarray, mean: np.ndarray, scale: np.ndarray, nodes: np.ndarray
) -> np.ndarray:
    """The mean of what scores stand for under noise of this shape, (..., cells).

    The values may have steps, so it goes by parts of the distribution, each at its own node.
    """
    pairs = zip(nodes, WEIGHTS, strict=True)
    return sum(weight * _at(values, mean + scale * node, np) for node, weight in pairs)


def _at(values: Any, scores: Any, xp: Any) -> Any:
    """What scores stand for, (..., cells), by values at those of the lattice (lattice, cells)."""
    last, cells = len(LATTICE) - 1, np.arange(values.shape[1], dtype=np.int32)
    place = xp.clip(lattice_place(scores, xp), 0, last)
    low = xp.minimum(xp.floor(place), last - 1)
    at = cast(low, "int32", xp) * len(cells) + cells
    flat = xp.reshape(values, (-1,))
    below, above = take(flat, at, xp=xp), take(flat, at + len(cells), xp=xp)
    return below + (place - low) * (above - below)
