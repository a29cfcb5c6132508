"""The interface of p(z)."""

from abc import abstractmethod
from typing import Any

import numpy as np

from skvae._component import Component


class Prior(Component):
    """Distribution of the latent points, p(z).

    Subclass it to bring your own: `log_prob` (with `keras.ops`) and `sample` (with NumPy) are
    enough. `q` is the encoder with its posterior, as functions: `q.encode(features)` gives raw
    numbers, `q.sample(raw, noise)` points with their log-density, and `q.log_prob(raw, z)` the
    log-density of any points. Most priors have no use for it.
    """

    @property
    def in_training(self) -> "Prior":
        """The prior of training: itself, or one without arrays, which `fitted` turns into this."""
        return self

    def fitted(self, z: np.ndarray, seed: int) -> dict:
        """Its arrays if it is not the one in training, from draws of q(z | x), (n, latent_dim)."""
        raise NotImplementedError

    def init(self, latent_dim: int, rng: np.random.Generator, features: np.ndarray) -> dict:
        """Arrays of its own that it wants trained, at their first values.

        `features` are some training rows as the encoder sees them, (rows, n_features).
        """
        return {}

    @abstractmethod
    def log_prob(self, w: dict, z: Any, q: Any) -> Any:
        """Log-density of latent points `(..., latent_dim)` in nats, `(...,)`."""

    @abstractmethod
    def sample(self, w: dict, noise: np.ndarray, q: Any) -> np.ndarray:
        """Latent points made from standard normal noise (n, latent_dim), of its shape, in NumPy."""

    def kl(self, w: dict, moments: tuple | None) -> Any:
        """KL(q || p) of each row and latent dimension in closed form; None where there is none."""
        return None

    def auxiliary_loss(self, w: dict, z: Any) -> Any:
        """What training adds to the loss of each draw, (draws, rows), or 0: for your own priors.

        It may estimate a divergence of the codes `z` of a batch, (draws, rows, latent_dim). A
        network that it needs for this is trained by a loss that has `z` behind a stopped gradient.
        """
        return 0.0

    def width(self, latent_dim: int) -> int:
        """How many numbers `log_prob` holds at once for a point: blocks are so much smaller."""
        return latent_dim
