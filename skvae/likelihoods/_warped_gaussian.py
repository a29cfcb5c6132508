from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, ndtri
from scipy.stats import norm, t

from skvae._math import bounded, normal_log_prob, ops
from skvae.likelihoods import _scale
from skvae.likelihoods._base import Column, Likelihood, Size, mean_and_deviation
from skvae.likelihoods._warp import LATTICE, Warp, lattice_place

# Shares of a normal at which what makes means is cut: even ones and, towards the ends, halves
TAIL = 0.5 ** np.arange(30, 6, -1)
SHARES = np.concatenate([[0.0], TAIL, np.arange(1, 64) / 64, 1 - TAIL[::-1], [1.0]])
WEIGHTS = np.diff(SHARES)
DF = 2.0  # of the wide noise, whose tails fall so slowly that no cell decides the score of a table
NODES = -np.diff(norm.pdf(ndtri(SHARES))), -np.diff((DF + t.ppf(SHARES, DF) ** 2) ** -0.5)
NORMAL_NODES, T_NODES = np.float32(NODES / WEIGHTS)  # means of the parts
LOG_ODDS, LEAST_LOG_ODDS = np.log([1e-2, 1e-4], dtype=np.float32)  # of wide noise: at first, least
LEAST_LOG_WIDE = np.float32(np.log(0.1))  # of its scale


class WarpedGaussian(Likelihood):
    """Noise with heavy tails after a monotone map of each column to normal scores.

    For real numbers of any shape: skewed ones, several modes, heavy tails. The map is learned in
    `fit` from the column alone, such that the column is about standard normal behind it; scores
    count its slope, so that this is a density in the units of X, comparable with those of other
    densities. Draws stay within the values seen in `fit`. Values that repeat, such as exact zeros,
    come back only about as they were: `Histogram` gives them a probability of their own. The
    encoder sees a cell twice: its standardised value (no far one, but the nearest that is not), and
    its normal score.

    Behind the map the noise of most cells is normal. That of the others, a learned share of each
    column, is Student's t with two degrees of freedom and a scale of its own: cells that the rest
    of a table does not foretell, such as rare values and typing errors, cost a few nats and do not
    decide the score of all rows. Nor do a few values that lie more than ten times as far from all
    others as these reach move the map, or means.

    Parameters
    ----------
    scale : {"feature", "shared", "cell"} or float, default="feature"
        Standard deviation of the normal noise on the scale of normal scores: one learned per
        feature; one learned and shared by all features; one that the decoder gives for each cell;
        or a fixed number. A learned scale stays above 1e-3.
    heavy_tails : bool, default=True
        Whether the noise of some cells is Student's t; else it is normal for all.

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

    def __init__(self, scale="feature", *, heavy_tails=True):
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
        return {"values": np.stack(values, axis=-1).astype(np.float32)}

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return ops.concatenate([_at(w["values"], x, ops) * seen, x * seen], axis=-1)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        mean, log_scale = _scale.location_and_log_scale(self.scale, w, raw, ops)
        narrow = normal_log_prob((x - mean) * ops.exp(-log_scale), log_scale)
        return _log_mixture(w, narrow, x - mean) if self.heavy_tails else narrow

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        mean, log_scale = _scale.location_and_log_scale(self.scale, w, raw, np)
        by_column = self.scale != "cell"  # then the scale is known: the lattice once for all cells
        at, values = LATTICE[:, None].astype(np.float32) if by_column else mean, w["values"]
        expected = _expected(values, at, np.exp(log_scale), NORMAL_NODES)
        if self.heavy_tails:
            log_wide, log_odds = _wide(w, np)
            wide = _expected(values, at, np.exp(log_wide), T_NODES)
            expected += expit(log_odds) * (wide - expected)
        return _at(expected, mean, np) if by_column else expected

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mean, log_scale = _scale.location_and_log_scale(self.scale, w, raw, np)
        noise = np.exp(log_scale) * rng.standard_normal(mean.shape, np.float32)
        if self.heavy_tails:
            log_wide, log_odds = _wide(w, np)
            wide = np.exp(log_wide) * rng.standard_t(DF, mean.shape)
            noise = np.where(rng.random(mean.shape) < expit(log_odds), wide, noise)
        return mean + noise


def _wide_init(size: Size) -> dict[str, np.ndarray]:
    """The log-odds that noise is wide, and the logarithm of its scale, of each column."""
    zeros = np.zeros(size.cells, np.float32)
    return {"log_odds": zeros + LOG_ODDS, "log_wide": zeros}


def _wide(w: dict, xp: Any) -> tuple[Any, Any]:
    """The logarithm of the scale of wide noise, and the log-odds of it."""
    log_wide = xp.logaddexp(bounded(w["log_wide"], xp), LEAST_LOG_WIDE)
    return log_wide, xp.logaddexp(bounded(w["log_odds"], xp), LEAST_LOG_ODDS)


def _log_mixture(w: dict, narrow: Any, noise: Any) -> Any:
    """Log-density of noise, given that as of a normal distribution."""
    log_wide, log_odds = _wide(w, ops)
    wide = _t_density(noise * ops.exp(-log_wide)) * ops.exp(log_odds - log_wide)
    return ops.log(ops.exp(narrow) + wide) - ops.softplus(log_odds)


def _t_density(x: Any) -> Any:
    """That of Student's t with two degrees of freedom, which float32 holds however far x is."""
    return ops.rsqrt(2.0 + x * x) ** 3


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
    at = xp.array(low, dtype="int32") * len(cells) + cells
    below, above = xp.take(values, at), xp.take(values, at + len(cells))
    return below + (place - low) * (above - below)
