from typing import Any

import numpy as np

from skvae._math import normal_log_prob, ops
from skvae.priors._base import Prior


class Normal(Prior):
    """Standard normal distribution, N(0, I).

    Examples
    --------
    >>> from skvae.priors import Normal
    >>> Normal()
    Normal()
    """

    def log_prob(self, w: dict, z: Any, q: Any) -> Any:
        return ops.sum(normal_log_prob(z), axis=-1)

    def sample(self, w: dict, noise: np.ndarray, q: Any) -> np.ndarray:
        return noise

    def kl(self, w: dict, moments: tuple | None) -> Any:
        if moments is None:
            return None
        mean, log_scale = moments
        return (mean * mean + ops.expm1(log_scale * 2.0)) * 0.5 - log_scale
