"""The interface of q(z | x)."""

from abc import abstractmethod
from typing import Any

import numpy as np

from skvae._component import Component


class Posterior(Component):
    """Distribution of the latent point of a row, q(z | x).

    `raw` is what the encoder gives, `(rows, n_raw(latent_dim))`.
    """

    @abstractmethod
    def n_raw(self, latent_dim: int) -> int:
        """How many raw numbers the encoder has to give."""

    def init(self, latent_dim: int, rng: np.random.Generator) -> dict:
        """Arrays of its own that it wants trained, at their first values."""
        return {}

    @abstractmethod
    def sample(self, w: dict, raw: Any, noise: Any) -> tuple[Any, Any]:
        """Points and log-density from standard normal noise: (draws, rows, d), (draws, rows)."""

    @abstractmethod
    def log_prob(self, w: dict, raw: Any, z: Any) -> Any:
        """Log-density of points (..., d) given raw numbers (..., n_raw) that broadcast, (...,)."""

    def moments(self, w: dict, raw: Any) -> tuple[Any, Any] | None:
        """Mean and log-scale of a diagonal normal, (rows, d) each; None for any other shape."""
        return None

    @abstractmethod
    def mean(self, w: dict, raw: Any) -> Any:
        """The mean of q, (rows, d)."""
