"""The scale of the noise around the decoder's location: a number, learned, or of each cell."""

from numbers import Real
from typing import Any

import numpy as np

from skvae import _math
from skvae._math import at_least, bounded, ops
from skvae._sklearn import Interval, StrOptions
from skvae.likelihoods._base import Size, mean_and_deviation

CONSTRAINT = [StrOptions({"feature", "shared", "cell"}), Interval(Real, 0, None, closed="neither")]
LOG_MIN_SCALE = np.float32(np.log(1e-3))  # a column's noise is never below 1e-3 of its own scale
NORMAL_RANGE = 1.3489795003921634  # between the quartiles of the standard normal
# Quartiles so much closer than the deviation would give cells that float32 cannot square.
NARROW = 1e-10


def n_raw(scale: str | float, size: Size) -> int:
    """How many raw numbers give location and scale."""
    return 2 * size.cells if scale == "cell" else size.cells


def init(scale: str | float, size: Size) -> dict[str, np.ndarray]:
    """The learned logarithm of the scale, if there is one."""
    sizes = {"feature": size.cells, "shared": 1}
    return {"log_scale": np.zeros(sizes[scale], np.float32)} if scale in sizes else {}


def location_and_log_scale(scale: str | float, w: dict, raw: Any, xp: Any) -> tuple[Any, Any]:
    """Both of each cell, (..., cells) or what broadcasts to it."""
    if scale == "cell":
        location, log_scale = xp.split(raw, 2, axis=-1)
    elif "log_scale" in w:
        location, log_scale = raw, w["log_scale"]
    else:
        return raw, np.float32(np.log(scale))
    return location, at_least(LOG_MIN_SCALE, bounded(log_scale, xp), xp)


def normal_log_prob(scale: str | float, w: dict, x: Any, raw: Any) -> Any:
    """Log-density of each cell of a normal distribution, (..., cells)."""
    mean, log_scale = location_and_log_scale(scale, w, raw, ops)
    return _math.normal_log_prob((x - mean) * ops.exp(-log_scale), log_scale)


def normal_draw(
    scale: str | float, w: dict, raw: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A draw of each cell of a normal distribution, (..., cells)."""
    mean, log_scale = location_and_log_scale(scale, w, raw, np)
    return mean + np.exp(log_scale) * rng.standard_normal(mean.shape, np.float32)


def median_and_spread(X: np.ndarray) -> tuple[float, float]:
    """Median and deviation of a normal with these quartiles; mean and deviation if they meet."""
    mean, deviation = mean_and_deviation(X)
    low, median, high = np.quantile(X, [0.25, 0.5, 0.75])
    spread = (high - low) / NORMAL_RANGE
    return (float(median), float(spread)) if spread > NARROW * deviation else (mean, deviation)
