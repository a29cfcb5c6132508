"""The interface of p(x | z)."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from skvae._component import Component
from skvae.likelihoods._grid import Grid as Grid  # of those with slots of numbers
from skvae.likelihoods._placement import Placement
from skvae.likelihoods._placement import n_far as n_far
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

    Examples
    --------
    >>> import numpy as np
    >>> from keras import ops
    >>> from skvae.likelihoods import Likelihood
    >>> class Exponential(Likelihood):
    ...     measure, support = "density", "positive numbers"
    ...
    ...     def supports(self, X):
    ...         return X > 0
    ...
    ...     def location_and_scale(self, X):
    ...         return 0.0, X.mean()
    ...
    ...     def log_prob(self, w, x, raw):  # raw is the logarithm of the mean
    ...         return -raw - x * ops.exp(-raw)
    ...
    ...     def point(self, w, raw):
    ...         return np.exp(raw)
    ...
    ...     def sample(self, w, raw, rng):
    ...         return rng.exponential(np.exp(raw))
    >>> Exponential().supports(np.array([1.0, -1.0]))  # VAETransformer(likelihood=Exponential())
    array([ True, False])
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
        """Whether each value can have come from this distribution.

        Parameters
        ----------
        X : ndarray of any shape
            Observed values.

        Returns
        -------
        supported : ndarray of bool, of the shape of X
            False where the value is refused, with an error that says `support`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Poisson
        >>> Poisson().supports(np.array([0.0, 3.0, 2.5, -1.0]))
        array([ True,  True, False, False])
        """

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

        Parameters
        ----------
        X : ndarray of shape (n_observed,)
            Observed values of a column.

        Returns
        -------
        location : float
            What is taken off.
        scale : float
            What the rest is divided by.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Gaussian, Poisson
        >>> Gaussian().location_and_scale(np.array([10.0, 14.0]))
        (12.0, 2.0)
        >>> Poisson().location_and_scale(np.array([10.0, 14.0]))
        (0.0, 1.0)
        """
        return 0.0, 1.0

    def placement(self, X: np.ndarray, min_count: int = 1) -> Placement | None:
        """The map of a column's numbers to cells where that is no scaling, as to slots of a grid.

        From its observed values, of which each of its parts needs so many.

        Parameters
        ----------
        X : ndarray of shape (n_observed,)
            Observed values of a column.
        min_count : int, default=1
            Values that a bin or an atom needs.

        Returns
        -------
        placement : object or None
            With `encode`, `decode` and `points`; None for a scaling.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Gaussian, Histogram
        >>> Gaussian().placement(np.arange(10.0)) is None
        True
        >>> Histogram(n_bins=4).placement(np.linspace(0, 1, 1000)).n_slots >= 4
        True
        """
        if self.has_slots:
            name = type(self).__name__
            raise NotImplementedError(f"{name} has slots, but its placement does not give them.")
        return None

    def n_features(self, size: Size) -> int:
        """How many numbers the encoder sees of those cells; they lie as those of `n_raw` do.

        Parameters
        ----------
        size : Size
            How many cells a row has, `size.cells`, and slots, `size.slots`.

        Returns
        -------
        n : int
            The width of what `features` gives.

        Examples
        --------
        >>> from skvae.likelihoods import Categorical, Gaussian
        >>> from skvae.likelihoods._base import Size
        >>> Gaussian().n_features(Size(cells=3)), Categorical().n_features(Size(cells=3, slots=64))
        (3, 64)
        """
        return size.cells

    def n_raw(self, size: Size) -> int:
        """How many raw numbers the decoder has to give for those cells.

        Those for slots lie first, cell after cell. Others follow as runs over the cells: first one
        number of each cell, then another.

        Parameters
        ----------
        size : Size
            How many cells a row has, `size.cells`, and slots, `size.slots`.

        Returns
        -------
        n : int
            The width of `raw`.

        Examples
        --------
        >>> from skvae.likelihoods import Gaussian
        >>> from skvae.likelihoods._base import Size
        >>> Gaussian().n_raw(Size(cells=3)), Gaussian(scale="cell").n_raw(Size(cells=3))
        (3, 6)
        """
        return size.cells

    def init(self, size: Size) -> dict[str, np.ndarray]:
        """Arrays of its own that it wants trained, at their first values.

        Parameters
        ----------
        size : Size
            How many cells a row has, `size.cells`, and slots, `size.slots`.

        Returns
        -------
        arrays : dict of {str: ndarray}
            In float32; they come back trained, as part of `w`.

        Examples
        --------
        >>> from skvae.likelihoods import Poisson, StudentT
        >>> from skvae.likelihoods._base import Size
        >>> Poisson().init(Size(cells=2))
        {}
        >>> {name: array.shape for name, array in StudentT().init(Size(cells=2)).items()}
        {'log_scale': (2,)}
        """
        return {}

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        """Arrays learned once from encoded training rows without holes.

        Their shapes follow from the size alone. Without slots the last axis of each goes over the
        columns, each of which counts for itself. With slots only `x.T`, which gives columns one by
        one, may be used of `x`: it may be sparse.

        Parameters
        ----------
        x : array of shape (n_rows, size.cells)
            Encoded training rows.
        columns : list of Column
            Of each, how many slots it has, `n_slots`, and their `points`.

        Returns
        -------
        arrays : dict of {str: ndarray}
            In float32; they come back as they are, as part of `w`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Poisson
        >>> Poisson().constants(np.array([[1.0], [3.0]]), [])["log_mean"].round(2)
        array([0.69], dtype=float32)
        """
        return {}

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        """What the encoder sees of the cells; 0 in a hole.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` and `constants`.
        x : array of shape (..., size.cells)
            Cells; in a hole any number.
        seen : array of the shape of x
            1 where a cell is observed, 0 in a hole.

        Returns
        -------
        features : array of shape (..., n_features(size))
            Numbers of about 1, made by `keras.ops`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Gaussian
        >>> Gaussian().features({}, np.array([0.5, 7.0]), np.array([1.0, 0.0]))
        array([0.5, 0. ])
        """
        return x * seen

    def n_codes(self, column: Column) -> int:
        """How many values a cell of that column has, if those are codes 0, 1, ...; else 0.

        Parameters
        ----------
        column : Column
            With its number of slots, `n_slots`.

        Returns
        -------
        n : int
            The number of codes.

        Examples
        --------
        >>> from skvae.likelihoods import Categorical, Gaussian
        >>> from skvae.likelihoods._base import Column
        >>> Gaussian().n_codes(Column()), Categorical().n_codes(Column(n_slots=5))
        (0, 5)
        """
        return column.n_slots

    def raw_of(self, w: dict, log_probs: np.ndarray) -> np.ndarray | None:
        """Raw numbers of one cell that give its codes these probabilities, if any do.

        A decoder whose cells see each other starts from them.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` and `constants` for a single column.
        log_probs : ndarray of shape (..., n_codes)
            Logarithms of the probabilities.

        Returns
        -------
        raw : ndarray of shape (..., n_raw) or None
            None where no raw numbers give them.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Gaussian
        >>> Gaussian().raw_of({}, np.log([0.5, 0.5])) is None
        True
        """
        return None

    @abstractmethod
    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        """Log-probability of each cell in nats.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` and `constants`.
        x : array of shape (..., size.cells)
            Cells.
        raw : array of shape (..., n_raw(size))
            What the decoder gives.

        Returns
        -------
        log_prob : array of shape (..., size.cells)
            Made by `keras.ops`; a density counts in encoded cells, not in the units of X.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Poisson
        >>> w = Poisson().constants(np.array([[2.0], [2.0]]), [])  # the rate starts at 2
        >>> x, raw = np.array([[0.0]], np.float32), np.zeros((1, 1), np.float32)
        >>> np.array(Poisson().log_prob(w, x, raw)).round(3)
        array([[-2.]], dtype=float32)
        """

    @abstractmethod
    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        """The mean of each cell, or its most likely level.

        With a placement it is of (X - location) / scale.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` and `constants`.
        raw : ndarray of shape (..., n_raw(size))
            What the decoder gives.

        Returns
        -------
        x : ndarray of shape (..., size.cells)
            In NumPy.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Poisson
        >>> w = Poisson().constants(np.array([[2.0], [2.0]]), [])
        >>> Poisson().point(w, np.zeros((1, 1), np.float32)).round(3)
        array([[2.]])
        """

    def point_of_mixture(self, w: dict, raw: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The same of a mixture over the first axis of `raw`.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` and `constants`.
        raw : ndarray of shape (n_draws, ..., n_raw(size))
            What the decoder gives for several draws of z.
        weights : ndarray of shape (n_draws, ...)
            Of the draws; they sum to 1.

        Returns
        -------
        x : ndarray of shape (..., size.cells)
            In NumPy.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Poisson
        >>> w = Poisson().constants(np.array([[2.0], [2.0]]), [])
        >>> raw = np.zeros((2, 1, 1), np.float32)
        >>> Poisson().point_of_mixture(w, raw, np.array([[0.25], [0.75]])).round(3)
        array([[2.]])
        """
        return (weights[..., None] * self.point(w, raw)).sum(axis=0)

    @abstractmethod
    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A draw of each cell.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` and `constants`.
        raw : ndarray of shape (..., n_raw(size))
            What the decoder gives.
        rng : Generator
            The only source of randomness.

        Returns
        -------
        x : ndarray of shape (..., size.cells)
            In NumPy.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.likelihoods import Poisson
        >>> w = Poisson().constants(np.array([[2.0], [2.0]]), [])
        >>> drawn = Poisson().sample(w, np.zeros((1000, 1), np.float32), np.random.default_rng(0))
        >>> bool(abs(drawn.mean() - 2) < 0.2)
        True
        """


def in_unit_interval(X: np.ndarray) -> np.ndarray:
    """Whether each value lies in [0, 1], up to rounding."""
    return (X >= -ROUNDING) & (X <= 1 + ROUNDING)


def mean_and_deviation(X: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, safe for any magnitude; a deviation of 0 becomes 1."""
    low, high = X.min(), X.max()
    if not low < high:
        return float(low), 1.0
    unit = (X - low) / (high - low)
    mean = unit.mean()
    unit -= mean
    unit *= unit
    smallest = np.finfo(np.float64).tiny  # of which the logarithm and the inverse are finite
    deviation = (high - low) * np.sqrt(unit.mean())
    return float(low + (high - low) * mean), max(float(deviation), smallest)


def padded(n: int) -> int:
    """The number of slots that makes room for n."""
    step = max(PADDING, 2 ** max(n - 1, 1).bit_length() // 16)
    return -(-max(n, 1) // step) * step
