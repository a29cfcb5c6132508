from numbers import Integral
from typing import Any

import numpy as np

from skvae import _coupling
from skvae._math import ops
from skvae._sklearn import Interval
from skvae.priors._base import Prior
from skvae.priors._normal import Normal


class Flow(Prior):
    """Normalizing flow: a standard normal distribution, bent by affine coupling layers.

    For latent points of any smooth shape. With one latent dimension there is nothing to
    couple, and it is a normal. The KL term is estimated from the draws, and `latent_kl_` is
    its total.

    Parameters
    ----------
    n_layers : int, default=6
        Coupling layers: more make more shapes, and more work.
    n_units : int, default=64
        Of the hidden layer in each coupling.

    References
    ----------
    Dinh, Sohl-Dickstein, Bengio (2017). Density Estimation using Real NVP.
    Chen et al. (2017). Variational Lossy Autoencoder.

    Examples
    --------
    >>> from skvae.priors import Flow
    >>> Flow(n_layers=4)
    Flow(n_layers=4)
    """

    _parameter_constraints: dict = {
        name: [Interval(Integral, 1, None, closed="left")] for name in ("n_layers", "n_units")
    }

    def __init__(self, n_layers: int = 6, n_units: int = 64):
        self.n_layers = n_layers
        self.n_units = n_units

    def init(self, latent_dim: int, rng: np.random.Generator, features: np.ndarray) -> dict:
        return {"layers": _coupling.init(self.n_layers, latent_dim, 0, self.n_units, rng)}

    def log_prob(self, w: dict, z: Any, q: Any) -> Any:
        straight, log_stretch = _coupling.inverse(w["layers"], z)
        return Normal().log_prob({}, straight, q) - log_stretch

    def sample(self, w: dict, noise: np.ndarray, q: Any) -> np.ndarray:
        return ops.convert_to_numpy(_coupling.forward(w["layers"], noise)[0])

    def width(self, latent_dim: int) -> int:
        return max(latent_dim, self.n_units)
