from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm

from skvae._math import ops
from skvae.likelihoods import _scale
from skvae.likelihoods._base import Column, Likelihood, Size, mean_and_deviation
from skvae.likelihoods._warp import LATTICE, Warp, lattice_place

# Shares of a normal at which what makes means is cut: even ones and, towards the ends, halves
TAIL = 0.5 ** np.arange(30, 6, -1)
SHARES = np.concatenate([[0.0], TAIL, np.arange(1, 64) / 64, 1 - TAIL[::-1], [1.0]])


class WarpedGaussian(Likelihood):
    """Normal distribution after a monotone map of each column to normal scores.

    For real numbers of any shape: skewed ones, several modes, heavy tails. The map is learned in
    `fit` from the column alone, such that the column is about standard normal behind it; scores
    count its slope, so that this is a density in the units of X, comparable with those of other
    densities. Draws stay within the values seen in `fit`. A few values that lie more than ten
    times as far from all others as these reach, as typing errors of many digits do, hardly count,
    and move no means. Values that repeat, such as exact zeros, come back only about as they
    were: `Histogram` gives them a probability of their own. The encoder sees a cell twice: its
    standardised value (no far one, but the nearest that is not), and its normal score.

    Parameters
    ----------
    scale : {"feature", "shared", "cell"} or float, default="feature"
        Standard deviation of the noise on the scale of normal scores: one learned per feature;
        one learned and shared by all features; one that the decoder gives for each cell; or a
        fixed number. A learned scale stays above 1e-3.

    References
    ----------
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
        return _scale.init(self.scale, size)

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        none = np.zeros(len(LATTICE))
        values = [none if column.points is None else column.points for column in columns]
        return {"values": np.stack(values, axis=-1).astype(np.float32)}

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return ops.concatenate([_at(w["values"], x, ops) * seen, x * seen], axis=-1)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        return _scale.normal_log_prob(self.scale, w, x, raw)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        mean, log_scale = _scale.location_and_log_scale(self.scale, w, raw, np)
        if self.scale == "cell":
            return _expected(w["values"], mean, np.exp(log_scale))
        means = LATTICE[:, None].astype(np.float32)  # each column's scale is known: once for all
        return _at(_expected(w["values"], means, np.exp(log_scale)), mean, np)

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _scale.normal_draw(self.scale, w, raw, rng)


def _expected(values: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The mean of what normal scores stand for, (..., cells).

    The values may have steps, so it goes by parts of the normal, each at its own mean.
    """
    weights = np.diff(SHARES)
    nodes = -np.diff(norm.pdf(ndtri(SHARES))) / weights
    pairs = zip(nodes.astype(np.float32), weights, strict=True)
    return sum(weight * _at(values, mean + scale * node, np) for node, weight in pairs)


def _at(values: Any, scores: Any, xp: Any) -> Any:
    """What scores stand for, (..., cells), by values at those of the lattice (lattice, cells)."""
    last, cells = len(LATTICE) - 1, np.arange(values.shape[1], dtype=np.int32)
    place = xp.clip(lattice_place(scores, xp), 0, last)
    low = xp.minimum(xp.floor(place), last - 1)
    at = xp.array(low, dtype="int32") * len(cells) + cells
    below, above = xp.take(values, at), xp.take(values, at + len(cells))
    return below + (place - low) * (above - below)
