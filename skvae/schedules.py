"""Schedules: the KL term's weight in each epoch, for `beta`."""

from abc import abstractmethod
from math import ceil
from numbers import Integral, Real
from typing import Any

import numpy as np

from skvae._component import Component
from skvae._sklearn import Interval

__all__ = ["Constant", "Cyclical", "LinearWarmup", "Schedule"]


class Schedule(Component):
    """How beta moves while training. Early stopping waits until it stays at its last value.

    Subclass it to bring your own: `betas` is enough. A long epoch is trained in parts, and asks
    `beta_at` for each of them; `settles` says from when on beta stays. Both look at all `betas`
    unless they are replaced, which a very large `max_iter` wants.

    Examples
    --------
    >>> import numpy as np
    >>> from skvae.schedules import Schedule
    >>> class Late(Schedule):
    ...     def betas(self, max_iter):
    ...         return np.where(np.arange(max_iter) < 2, 0.0, 1.0)
    >>> Late().betas(4), Late().beta_at(1.5, max_iter=4)
    (array([0., 0., 1., 1.]), 0.0)
    """

    @abstractmethod
    def betas(self, max_iter: int) -> np.ndarray:
        """Beta in each epoch.

        Parameters
        ----------
        max_iter : int
            Number of epochs.

        Returns
        -------
        betas : ndarray of shape (max_iter,)
            A fit that goes on from an earlier one has the last.

        Examples
        --------
        >>> from skvae.schedules import LinearWarmup
        >>> LinearWarmup(n_epochs=2).betas(3)
        array([0.5, 1. , 1. ])
        """

    def beta_at(self, epochs: Any, max_iter: int, length: float = 1.0) -> Any:
        """Beta in a part of training that takes `length` and ends after so many epochs.

        Parameters
        ----------
        epochs : float
            Epochs that are done at its end.
        max_iter : int
            Number of epochs.
        length : float, default=1.0
            Of the part, in epochs.

        Returns
        -------
        beta : float
            Weight of the KL term.

        Examples
        --------
        >>> from skvae.schedules import LinearWarmup
        >>> float(LinearWarmup(n_epochs=2).beta_at(0.5, max_iter=3))
        0.25
        """
        return float(self._checked(max_iter)[min(ceil(epochs), max_iter) - 1])

    def settles(self, max_iter: int) -> float:
        """How many epochs are done when beta first stays at its last value for good.

        Parameters
        ----------
        max_iter : int
            Number of epochs.

        Returns
        -------
        epochs : float
            Training never stops early before that.

        Examples
        --------
        >>> from skvae.schedules import Constant, LinearWarmup
        >>> Constant().settles(10), LinearWarmup(n_epochs=4).settles(10)
        (0.0, 4)
        """
        betas = self._checked(max_iter)
        before = np.max(np.flatnonzero(betas != betas[-1]) + 1, initial=0)
        return float(np.nextafter(before, np.inf))  # from the start of the next epoch on

    def _checked(self, max_iter: int) -> np.ndarray:
        betas = np.asarray(self.betas(max_iter), float)
        if betas.shape == (max_iter,) and (np.isfinite(betas) & (betas >= 0)).all():
            return betas
        raise ValueError(
            f"beta={self} gave {betas.tolist()[:5]}... of shape {betas.shape}, but a finite number "
            f"of at least 0 is expected for each of max_iter={max_iter} epochs."
        )


class Constant(Schedule):
    """The same in every epoch, from the first one on.

    Parameters
    ----------
    beta : float, default=1.0
        Its last value, the weight of the KL term.

    Examples
    --------
    >>> from skvae.schedules import Constant
    >>> Constant(2.0).betas(3)
    array([2., 2., 2.])
    """

    _parameter_constraints: dict = {"beta": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, beta: float = 1.0):
        self.beta = beta

    def betas(self, max_iter: int) -> np.ndarray:
        return np.full(max_iter, float(self.beta))

    def beta_at(self, epochs: Any, max_iter: int, length: float = 1.0) -> Any:
        return float(self.beta)

    def settles(self, max_iter: int) -> float:
        return 0.0


class LinearWarmup(Schedule):
    """From near zero up to beta, linearly, and constant from then on.

    Parameters
    ----------
    n_epochs : float, default=50
        How long it rises. No longer than training may last: the last epoch has the whole of beta.
    beta : float, default=1.0
        Its last value, the weight of the KL term.

    References
    ----------
    Bowman et al. (2016). Generating Sentences from a Continuous Space.
    Sonderby et al. (2016). Ladder Variational Autoencoders.

    Examples
    --------
    >>> from skvae.schedules import LinearWarmup
    >>> LinearWarmup(n_epochs=4).betas(6)
    array([0.25, 0.5 , 0.75, 1.  , 1.  , 1.  ])
    """

    _parameter_constraints: dict = {
        "n_epochs": [Interval(Real, 0, None, closed="neither")],
        "beta": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, n_epochs: float = 50, beta: float = 1.0):
        self.n_epochs = n_epochs
        self.beta = beta

    def betas(self, max_iter: int) -> np.ndarray:
        return self.beta_at(np.arange(1, max_iter + 1), max_iter)

    def beta_at(self, epochs: Any, max_iter: int, length: float = 1.0) -> Any:
        return self.beta * np.minimum(1.0, epochs / self.settles(max_iter))

    def settles(self, max_iter: int) -> float:
        return min(self.n_epochs, max_iter)


class Cyclical(Schedule):
    """From near zero up to beta, linearly, then constant, and again: several times over max_iter.

    Parameters
    ----------
    n_cycles : int, default=4
        How often it rises.
    rise : float in (0, 1], default=0.5
        Share of a cycle in which beta rises.
    beta : float, default=1.0
        Its last value, the weight of the KL term.

    References
    ----------
    Fu et al. (2019). Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing.

    Examples
    --------
    >>> from skvae.schedules import Cyclical
    >>> Cyclical(n_cycles=2).betas(8)
    array([0.5, 1. , 1. , 1. , 0.5, 1. , 1. , 1. ])
    """

    _parameter_constraints: dict = {
        "n_cycles": [Interval(Integral, 1, None, closed="left")],
        "rise": [Interval(Real, 0, 1, closed="right")],
        "beta": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, n_cycles: int = 4, rise: float = 0.5, beta: float = 1.0):
        self.n_cycles = n_cycles
        self.rise = rise
        self.beta = beta

    def betas(self, max_iter: int) -> np.ndarray:
        return self.beta_at(np.arange(1, max_iter + 1), max_iter)

    def beta_at(self, epochs: Any, max_iter: int, length: float = 1.0) -> Any:
        start = np.round((epochs - length) * self.n_cycles, 9) % max_iter  # in a cycle
        risen = (start + length * self.n_cycles) / (self.rise * max_iter)
        beta = self.beta * np.minimum(1.0, np.round(risen, 9))
        return np.where(epochs == max_iter, self.beta, beta)[()]  # rounding may miss the end

    def settles(self, max_iter: int) -> float:
        return min(max_iter, (self.n_cycles - 1 + self.rise) * max_iter / self.n_cycles)
