"""The interface of p(z)."""

from abc import abstractmethod
from typing import Any

import numpy as np

from skvae._component import Component


class Prior(Component):
    """Distribution of the latent points, p(z)."""

    def init(self, latent_dim: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Arrays of its own that it wants trained, at their first values."""
        return {}

    @abstractmethod
    def log_prob(self, w: dict, z: Any) -> Any:
        """Log-density of latent points `(..., latent_dim)` in nats, `(...,)`."""

    @abstractmethod
    def sample(self, w: dict, noise: np.ndarray) -> np.ndarray:
        """Latent points made from standard normal noise of the same shape, in NumPy."""

    @abstractmethod
    def kl(self, w: dict, moments: tuple | None) -> Any:
        """KL(q || p) of each row and latent dimension in closed form, or None if there is none."""
