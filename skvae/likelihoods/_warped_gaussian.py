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
NORMAL_NODES = -np.diff(norm.pdf(ndtri(SHARES))) / WEIGHTS  # means of the parts
T_NODES = -np.diff((DF + t.ppf(SHARES, DF) ** 2) ** -0.5) / WEIGHTS
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

    _parameter_constraints: dict = {"scale": _scale.CONSTRAINT}

    def __init__(self, scale="feature"):
        self.scale = scale

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
        wide = {
            "log_odds": np.full(size.cells, LOG_ODDS),
            "log_wide": np.zeros(size.cells, np.float32),
        }
        return _scale.init(self.scale, size) | wide

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        none = np.zeros(len(LATTICE))
        values = [none if column.points is None else column.points for column in columns]
        return {"values": np.stack(values, axis=-1).astype(np.float32)}

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return ops.concatenate([_at(w["values"], x, ops) * seen, x * seen], axis=-1)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        mean, log_scale, log_wide, log_odds = self._noise(w, raw, ops)
        narrow = ops.exp(normal_log_prob((x - mean) * ops.exp(-log_scale), log_scale))
        wide = _t_density((x - mean) * ops.exp(-log_wide)) * ops.exp(log_odds - log_wide)
        return ops.log(narrow + wide) - ops.softplus(log_odds)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        mean, log_scale, log_wide, log_odds = self._noise(w, raw, np)
        by_column = self.scale != "cell"  # then the scale is known: the lattice once for all cells
        at, values = LATTICE[:, None].astype(np.float32) if by_column else mean, w["values"]
        narrow = _expected(values, at, np.exp(log_scale), NORMAL_NODES)
        wide = _expected(values, at, np.exp(log_wide), T_NODES)
        expected = narrow + expit(log_odds) * (wide - narrow)
        return _at(expected, mean, np) if by_column else expected

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mean, log_scale, log_wide, log_odds = self._noise(w, raw, np)
        narrow = np.exp(log_scale) * rng.standard_normal(mean.shape, np.float32)
        wide = np.exp(log_wide) * rng.standard_t(DF, mean.shape)
        return mean + np.where(rng.random(mean.shape) < expit(log_odds), wide, narrow)

    def _noise(self, w: dict, raw: Any, xp: Any) -> tuple[Any, Any, Any, Any]:
        """The mean, logarithms of both scales, and the log-odds that noise is wide."""
        mean, log_scale = _scale.location_and_log_scale(self.scale, w, raw, xp)
        log_wide = xp.logaddexp(bounded(w["log_wide"], xp), LEAST_LOG_WIDE)
        return mean, log_scale, log_wide, xp.logaddexp(bounded(w["log_odds"], xp), LEAST_LOG_ODDS)


def _t_density(x: Any) -> Any:
    """That of Student's t with two degrees of freedom, which float32 holds however far x is."""
    return ops.rsqrt(2.0 + x * x) ** 3


def _expected(
    values: np.ndarray, mean: np.ndarray, scale: np.ndarray, nodes: np.ndarray
) -> np.ndarray:
    """The mean of what scores stand for under noise of this shape, (..., cells).

    The values may have steps, so it goes by parts of the distribution, each at its own node.
    """
    pairs = zip(nodes.astype(np.float32), WEIGHTS, strict=True)
    return sum(weight * _at(values, mean + scale * node, np) for node, weight in pairs)


def _at(values: Any, scores: Any, xp: Any) -> Any:
    """What scores stand for, (..., cells), by values at those of the lattice (lattice, cells)."""
    last, cells = len(LATTICE) - 1, np.arange(values.shape[1], dtype=np.int32)
    place = xp.clip(lattice_place(scores, xp), 0, last)
    low = xp.minimum(xp.floor(place), last - 1)
    at = xp.array(low, dtype="int32") * len(cells) + cells
    below, above = xp.take(values, at), xp.take(values, at + len(cells))
    return below + (place - low) * (above - below)
