from functools import lru_cache
from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from skvae import _coupling
from skvae._math import ops
from skvae._sklearn import Interval
from skvae.posteriors._base import Posterior
from skvae.posteriors._gaussian import Gaussian

MEAN_DRAWS = 64  # behind the mean, which has no closed form


class Flow(Posterior):
    """Normalizing flow: draws of a normal distribution, bent by coupling layers that see the row.

    For latent points that do not follow a normal distribution given the row. With one latent
    dimension there is nothing to couple, and it is a normal again. The KL term is estimated
    from the draws, and `latent_kl_` is its total; the mean is that of 64 fixed draws.

    Parameters
    ----------
    n_layers : int, default=4
        Coupling layers: more make more shapes, and more work.
    n_units : int, default=32
        Of the hidden layer in each coupling.
    n_context : int, default=16
        Numbers that the encoder gives to the couplings.

    References
    ----------
    Rezende, Mohamed (2015). Variational Inference with Normalizing Flows.
    Dinh, Sohl-Dickstein, Bengio (2017). Density Estimation using Real NVP.

    Examples
    --------
    >>> from skvae.posteriors import Flow
    >>> Flow(n_layers=2)
    Flow(n_layers=2)
    """

    _parameter_constraints: dict = {
        name: [Interval(Integral, 1, None, closed="left")]
        for name in ("n_layers", "n_units", "n_context")
    }

    def __init__(self, n_layers: int = 4, n_units: int = 32, n_context: int = 16):
        self.n_layers = n_layers
        self.n_units = n_units
        self.n_context = n_context

    def n_raw(self, latent_dim: int) -> int:
        return 2 * latent_dim + self.n_context

    def init(self, latent_dim: int, rng: np.random.Generator) -> dict:
        sizes = self.n_layers, latent_dim, self.n_context, self.n_units
        return {"layers": _coupling.init(*sizes, rng)}

    def sample(self, w: dict, raw: Any, noise: Any) -> tuple[Any, Any]:
        straight, log_q = Gaussian().sample(w, self._straight(raw), noise)
        z, log_stretch = _coupling.forward(w["layers"], straight, self._context(raw))
        return z, log_q - log_stretch

    def log_prob(self, w: dict, raw: Any, z: Any) -> Any:
        straight, log_stretch = _coupling.inverse(w["layers"], z, self._context(raw))
        return Gaussian().log_prob(w, self._straight(raw), straight) - log_stretch

    def mean(self, w: dict, raw: Any) -> Any:
        noise = _even_noise((raw.shape[-1] - self.n_context) // 2)[:, None]
        noise = ops.broadcast_to(noise, (len(noise), ops.shape(raw)[0], noise.shape[-1]))
        return ops.mean(self.sample(w, raw, noise)[0], axis=0)

    def _straight(self, raw: Any) -> Any:
        return raw[..., : -self.n_context]

    def _context(self, raw: Any) -> Any:
        return raw[..., -self.n_context :]


@lru_cache(maxsize=8)
def _even_noise(latent_dim: int) -> np.ndarray:
    points = qmc.Sobol(latent_dim, rng=np.random.default_rng(0)).random(MEAN_DRAWS)
    return ndtri(points.clip(1e-6, 1 - 1e-6)).astype(np.float32)
