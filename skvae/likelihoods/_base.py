"""The interface of p(x | z)."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from skvae._component import Component

ROUNDING = 1e-6  # a scaler may miss the ends of its range by as much


class Likelihood(Component):
    """Distribution of the cells of a row given its latent point, p(x | z).

    Subclass it to bring your own; `likelihood=Mine()` then works without registration.
    Cells `x` are the encoded values, `(..., n_cells)`; `raw` is what the decoder gives,
    `(..., n_raw(n_cells))`; `w` is a dict with the arrays of `init` and `constants`.
    """

    measure: ClassVar[str]  # "density" or "mass": scores compare only within one measure
    support: ClassVar[str]  # the values it accepts, in words, for the error message
    auto_for: ClassVar[str] = ""  # kinds of NumPy dtypes that likelihood="auto" gives it
    positive_only: ClassVar[bool] = False
    standardise: ClassVar[bool] = False  # x = (X - mean) / std, counted in every score

    @abstractmethod
    def supports(self, X: np.ndarray) -> np.ndarray:
        """Whether each value can have come from this distribution, as booleans."""

    def n_raw(self, n_cells: int) -> int:
        """How many raw numbers the decoder has to give for that many cells."""
        return n_cells

    def init(self, n_cells: int) -> dict[str, np.ndarray]:
        """Arrays of its own that it wants trained, at their first values."""
        return {}

    def constants(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays learned once from the encoded training rows; their shapes follow from n_cells alone."""
        return {}

    def features(self, w: dict, x: Any) -> Any:
        """What the encoder sees of the cells, with as many columns."""
        return x

    @abstractmethod
    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        """Log-probability of each cell in nats, `(..., n_cells)`."""

    @abstractmethod
    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        """The mean of each cell, in NumPy."""

    @abstractmethod
    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A draw of each cell, in NumPy."""


def in_unit_interval(X: np.ndarray) -> np.ndarray:
    """Whether each value lies in [0, 1], up to rounding."""
    return (X >= -ROUNDING) & (X <= 1 + ROUNDING)
