from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skvae import _math as ops
from skvae.likelihoods._base import Likelihood

LOG_MIN_SCALE = np.float32(np.log(1e-3))  # a column's noise is never below 1e-3 of its standard deviation


class Gaussian(Likelihood):
    """Normal distribution of each cell around the decoder's mean.

    Parameters
    ----------
    scale : {"feature", "shared", "cell"} or float, default="feature"
        Standard deviation of the noise, in units of each column's own standard deviation:
        one learned per feature; one learned and shared by all features, as in
        probabilistic PCA; one that the decoder gives for each cell; or a fixed number.
        A learned scale stays above 1e-3.

    References
    ----------
    Kingma, Welling (2014). Auto-Encoding Variational Bayes.
    Rybkin, Daniilidis, Levine (2021). Simple and Effective VAE Training with Calibrated
    Decoders.

    Examples
    --------
    >>> from skvae.likelihoods import Gaussian
    >>> Gaussian(scale="shared")
    Gaussian(scale='shared')
    """

    measure: ClassVar[str] = "density"
    auto_for: ClassVar[str] = "iuf"
    support: ClassVar[str] = "real numbers"
    standardise: ClassVar[bool] = True

    _parameter_constraints: dict = {
        "scale": [StrOptions({"feature", "shared", "cell"}), Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, scale="feature"):
        self.scale = scale

    def supports(self, X: np.ndarray) -> np.ndarray:
        return np.isfinite(X)

    def n_raw(self, n_cells: int) -> int:
        return 2 * n_cells if self.scale == "cell" else n_cells

    def init(self, n_cells: int) -> dict[str, np.ndarray]:
        sizes = {"feature": n_cells, "shared": 1}
        if self.scale not in sizes:
            return {}
        return {"log_scale": np.zeros(sizes[self.scale], np.float32)}

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        mean, log_scale = self._mean_and_log_scale(w, raw, ops)
        residual = (x - mean) * ops.exp(-log_scale)
        return -0.5 * (residual * residual + ops.LOG_2PI) - log_scale

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return self._mean_and_log_scale(w, raw, np)[0]

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mean, log_scale = self._mean_and_log_scale(w, raw, np)
        return mean + np.exp(log_scale) * rng.standard_normal(mean.shape, np.float32)

    def _mean_and_log_scale(self, w: dict, raw: Any, xp: Any) -> tuple[Any, Any]:
        if self.scale == "cell":
            mean, log_scale = xp.split(raw, 2, axis=-1)
        elif "log_scale" in w:
            mean, log_scale = raw, w["log_scale"]
        else:
            return raw, np.float32(np.log(self.scale))
        return mean, xp.logaddexp(ops.bounded(log_scale, xp), LOG_MIN_SCALE)
