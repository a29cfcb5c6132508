from numbers import Integral
from typing import Any

import numpy as np

from skvae._math import ops
from skvae._sklearn import Interval
from skvae.priors._base import Prior
from skvae.priors._components import chosen


class Vamp(Prior):
    """Variational mixture of posteriors: what the encoder makes of some rows that are learned.

    These pseudo-inputs begin as training rows and are trained with the rest, as the encoder
    sees rows. Each step encodes them too, so it costs as much more as there are components
    for the rows of a batch. The KL term is estimated from the draws, and `latent_kl_` is its
    total.

    Parameters
    ----------
    n_components : int, default=100
        Less than a tenth of the rows: with more, it learns the rows by heart.

    References
    ----------
    Tomczak, Welling (2018). VAE with a VampPrior.

    Examples
    --------
    >>> from skvae.priors import Vamp
    >>> Vamp(n_components=20)
    Vamp(n_components=20)
    """

    _parameter_constraints: dict = {"n_components": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_components: int = 100):
        self.n_components = n_components

    def init(self, latent_dim: int, rng: np.random.Generator, features: np.ndarray) -> dict:
        n = max(len(features), self.n_components)
        rows = rng.permutation(np.resize(np.arange(len(features)), n))
        return {
            "inputs": features[rows[: self.n_components]],
            "logits": np.zeros(self.n_components, np.float32),
        }

    def log_prob(self, w: dict, z: Any, q: Any) -> Any:
        log_probs = q.log_prob(q.encode(w["inputs"]), ops.expand_dims(z, -2))  # (..., components)
        return ops.logsumexp(ops.log_softmax(w["logits"]) + log_probs, axis=-1)

    def sample(self, w: dict, noise: np.ndarray, q: Any) -> np.ndarray:
        k, noise = chosen(w["logits"], noise)
        raw = ops.convert_to_numpy(q.encode(w["inputs"]))
        return ops.convert_to_numpy(q.sample(raw[k], noise[None])[0])[0]

    def width(self, latent_dim: int) -> int:
        return self.n_components * latent_dim
