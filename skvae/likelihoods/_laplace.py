from typing import Any, ClassVar

import numpy as np

from skvae._math import ops
from skvae.likelihoods import _scale
from skvae.likelihoods._base import Likelihood, Size

LOG_2 = 0.6931471805599453


class Laplace(Likelihood):
    r"""Density :math:`\exp(-|x - m| / b) / (2b)` of each cell around the decoder's m.

    For real numbers whose absolute error matters rather than the squared one. Columns are
    standardised by their median and quartiles.

    Parameters
    ----------
    scale : {"feature", "shared", "cell"} or float, default="feature"
        The scale b, in units of each column's own scale: one learned per feature; one
        learned and shared by all features; one that the decoder gives for each cell; or a
        fixed number. A learned scale stays above 1e-3.

    References
    ----------
    Kotz, Kozubowski, Podgorski (2001). The Laplace Distribution and Generalizations.

    Examples
    --------
    >>> from skvae.likelihoods import Laplace
    >>> Laplace(scale="cell")
    Laplace(scale='cell')
    """

    measure: ClassVar[str] = "density"
    support: ClassVar[str] = "real numbers"

    _parameter_constraints: dict = {"scale": _scale.CONSTRAINT}

    def __init__(self, scale: str = "feature"):
        self.scale = scale

    def supports(self, X: np.ndarray) -> np.ndarray:
        return np.isfinite(X)

    def location_and_scale(self, X: np.ndarray) -> tuple[float, float]:
        return _scale.median_and_spread(X)

    def n_raw(self, size: Size) -> int:
        return _scale.n_raw(self.scale, size)

    def init(self, size: Size) -> dict[str, np.ndarray]:
        return _scale.init(self.scale, size)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        location, log_scale = _scale.location_and_log_scale(self.scale, w, raw, ops)
        return -ops.abs(x - location) * ops.exp(-log_scale) - log_scale - LOG_2

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return _scale.location_and_log_scale(self.scale, w, raw, np)[0]

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        location, log_scale = _scale.location_and_log_scale(self.scale, w, raw, np)
        return location + np.exp(log_scale) * rng.laplace(size=location.shape)
