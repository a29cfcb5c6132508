from typing import Any, ClassVar

import numpy as np

from skvae.likelihoods import _scale
from skvae.likelihoods._base import Likelihood, Size, mean_and_deviation


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
    support: ClassVar[str] = "real numbers"

    _parameter_constraints: dict = {"scale": _scale.CONSTRAINT}

    def __init__(self, scale: str = "feature"):
        self.scale = scale

    def supports(self, X: np.ndarray) -> np.ndarray:
        return np.isfinite(X)

    def location_and_scale(self, X: np.ndarray) -> tuple[float, float]:
        return mean_and_deviation(X)

    def n_raw(self, size: Size) -> int:
        return _scale.n_raw(self.scale, size)

    def init(self, size: Size) -> dict[str, np.ndarray]:
        return _scale.init(self.scale, size)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        return _scale.normal_log_prob(self.scale, w, x, raw)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return _scale.location_and_log_scale(self.scale, w, raw, np)[0]

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _scale.normal_draw(self.scale, w, raw, rng)
