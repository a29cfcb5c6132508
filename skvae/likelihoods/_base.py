"""The interface of p(x | z)."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from skvae._component import Component
from skvae.likelihoods._grid import Grid as Grid  # of those with slots of numbers
from skvae.likelihoods._placement import Placement
from skvae.likelihoods._placement import near_ends as near_ends

# Slots are rounded up to a multiple of this, or of an eighth of the power of two below.
PADDING = 64
ROUNDING = 1e-6  # a scaler may miss the ends of its range by as much
MEASURES = "density", "mass", "mixed"


class Size(NamedTuple):
    """How much of a table a likelihood has: cells of a row, and slots that these may fall into."""

    cells: int
    slots: int = 0


class Column(NamedTuple):
    """What a likelihood is told of a column: how many slots it has, and its points, scaled."""

    n_slots: int = 0
    points: np.ndarray | None = None  # those of its placement, as the mean of each slot


class Likelihood(Component):
    """Distribution of the cells of a row given its latent point, p(x | z).

    Subclass it to bring your own; `likelihood=Mine()` then works without registration. It needs
    `measure`, `support`, `supports`, `log_prob` (with `keras.ops`), `point` and `sample` (NumPy);
    `location_and_scale` too, unless values are of about 1 as they are.
    Cells `x` are the encoded values, `(..., size.cells)`; `raw` is what the decoder gives,
    `(..., n_raw(size))`; `w` is a dict with the arrays of `init` and `constants`.
    `size.slots` is 0 but for likelihoods over levels or a grid.
    """

    measure: ClassVar[str]  # "density", "mass" or "mixed": scores compare only within one measure
    support: ClassVar[str]  # the values it accepts, in words, for the error message
    auto_for: ClassVar[tuple[str, ...]] = ()  # kinds of columns that likelihood="auto" gives it
    positive_only: ClassVar[bool] = False
    zero_is_atom: ClassVar[bool] = False  # 0 has a probability of its own: no Jacobian
    has_slots: ClassVar[bool] = False  # cells fall into slots of their column
    # These are the codes 0, 1, ... of its levels; else those of its grid.
    over_levels: ClassVar[bool] = False

    @abstractmethod
    def supports(self, X: np.ndarray) -> np.ndarray:
        """Whether each value can have come from this distribution; X is of any shape."""

    def _validate_params(self) -> None:
        super()._validate_params()
        name, measure = type(self).__name__, getattr(self, "measure", None)
        if measure not in MEASURES:
            raise ValueError(
                f"{name} has measure={measure!r}; set measure = 'density' in the class for "
                "numbers, 'mass' for counts or labels, or 'mixed' where some values have a "
                "probability of their own."
            )
        if not isinstance(getattr(self, "support", None), str):
            raise ValueError(
                f"{name} does not say its support; set it in the class, in words for messages, "
                "such as support = 'positive numbers'."
            )

    def location_and_scale(self, X: np.ndarray) -> tuple[float, float]:
        """Of a column, from its observed values: its cells are (X - location) / scale.

        Both are counted in every score. Cells of about 1 are what networks and float32 want: a
        density for columns of any magnitude gives their mean and deviation here.
        """
        return 0.0, 1.0

    def placement(self, X: np.ndarray, min_count: int = 1) -> Placement | None:
        """The map of a column's numbers to cells where that is no scaling, as to slots of a grid.

        From its observed values, of which each of its parts needs so many.
        """
        if self.has_slots:
            name = type(self).__name__
            raise NotImplementedError(f"{name} has slots, but its placement does not give them.")
        return None

    def n_features(self, size: Size) -> int:
        """How many numbers the encoder sees of those cells; they lie as those of `n_raw` do."""
        return size.cells

    def n_raw(self, size: Size) -> int:
        """How many raw numbers the decoder has to give for those cells.

        Those for slots lie first, cell after cell. Others follow as runs over the cells: first one
        number of each cell, then another.
        """
        return size.cells

    def init(self, size: Size) -> dict[str, np.ndarray]:
        """Arrays of its own that it wants trained, at their first values."""
        return {}

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        """Arrays learned once from encoded training rows without holes.

        Their shapes follow from the size alone. Without slots the last axis of each goes over the
        columns, each of which counts for itself. With slots only `x.T`, which gives columns one by
        one, may be used of `x`: it may be sparse.
        """
        return {}

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        """What the encoder sees of the cells, `(..., n_features(size))`; 0 where `seen` is 0."""
        return x * seen

    def n_codes(self, column: Column) -> int:
        """How many values a cell of that column has, if those are codes 0, 1, ...; else 0."""
        return column.n_slots

    def raw_of(self, w: dict, log_probs: np.ndarray) -> np.ndarray | None:
        """Raw numbers of one cell that give its codes these probabilities, (..., n_raw), if any do.

        A decoder whose cells see each other starts from them.
        """
        return None

    @abstractmethod
    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        """Log-probability of each cell in nats, `(..., cells)`."""

    @abstractmethod
    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        """The mean of each cell, or its most likely level.

        With a placement it is of (X - location) / scale.
        """

    def point_of_mixture(self, w: dict, raw: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The same of a mixture over the first axis of `raw`, with weights raw.shape[:-1]."""
        return (weights[..., None] * self.point(w, raw)).sum(axis=0)

    @abstractmethod
    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A draw of each cell, in NumPy."""


def in_unit_interval(X: np.ndarray) -> np.ndarray:
    """Whether each value lies in [0, 1], up to rounding."""
    return (X >= -ROUNDING) & (X <= 1 + ROUNDING)


def mean_and_deviation(X: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, safe for any magnitude; a deviation of 0 becomes 1."""
    low, high = X.min(), X.max()
    if not low < high:
        return float(low), 1.0
    unit = (X - low) / (high - low)
    smallest = np.finfo(np.float64).tiny  # of which the logarithm and the inverse are finite
    mean, deviation = low + (high - low) * unit.mean(), (high - low) * unit.std()
    return float(mean), max(float(deviation), smallest)


def padded(n: int) -> int:
    """The number of slots that makes room for n."""
    step = max(PADDING, 2 ** max(n - 1, 1).bit_length() // 16)
    return -(-max(n, 1) // step) * step
