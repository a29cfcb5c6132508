"""The interface of what is maximised."""

from abc import abstractmethod
from collections.abc import Callable
from inspect import signature
from typing import Any, ClassVar

from skvae._component import Component
from skvae._math import ops


def mean_over_rows(values: Any) -> Any:
    """The mean over rows where all count alike."""
    return ops.mean(values, axis=0)


class Objective(Component):
    """What training brings down.

    Subclass it to bring your own: `loss` is enough, from `keras.ops`. `closed_form_kl` says that
    the loss is linear in the KL, so that its closed form serves where there is one, and
    `by_dimension` that it needs the KL of each latent dimension.

    Examples
    --------
    >>> from keras import ops
    >>> from skvae.objectives import Objective
    >>> class SquaredKL(Objective):
    ...     def loss(self, log_lik, kl, beta):
    ...         kl = ops.mean(ops.sum(kl, axis=-1), axis=0)
    ...         return beta * kl**2 - ops.mean(log_lik, axis=0)
    >>> SquaredKL()  # VAETransformer(objective=SquaredKL())
    SquaredKL()
    """

    closed_form_kl: ClassVar[bool] = False  # not where the KL is inside of a log-mean
    by_dimension: ClassVar[bool] = False  # whether it needs the KL of each latent dimension

    @abstractmethod
    def loss(self, log_lik: Any, kl: Any, beta: Any, mean: Callable = mean_over_rows) -> Any:
        """Loss of each row, in nats.

        Parameters
        ----------
        log_lik : array of shape (draws, rows)
            Log of p(x | z).
        kl : array of shape (1, rows, latent_dim) or (draws, rows, 1)
            In closed form by dimension, else the log of q / p at each draw.
        beta : float
            Weight of the KL term.
        mean : callable, default=mean_over_rows
            Takes the mean over rows, of an array `(rows, ...)`. Where no row's loss depends on
            other rows, leave it out of the parameters.

        Returns
        -------
        loss : array of shape (rows,)
            Made by `keras.ops`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.objectives import ELBO
        >>> log_lik, kl = np.full((1, 2), -3.0, np.float32), np.full((1, 2, 2), 0.5, np.float32)
        >>> np.array(ELBO().loss(log_lik, kl, 1.0))
        array([4., 4.], dtype=float32)
        """

    def validation_loss(
        self, log_lik: Any, kl: Any, beta: Any, mean: Callable = mean_over_rows
    ) -> Any:
        """What early stopping goes by: the loss, unless it jumps between epochs.

        Parameters
        ----------
        log_lik : array of shape (draws, rows)
            Log of p(x | z).
        kl : array of shape (1, rows, latent_dim) or (draws, rows, 1)
            In closed form by dimension, else the log of q / p at each draw.
        beta : float
            Weight of the KL term.
        mean : callable, default=mean_over_rows
            Takes the mean over rows.

        Returns
        -------
        loss : array of shape (rows,)
            Made by `keras.ops`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.objectives import Capacity
        >>> log_lik, kl = np.full((1, 2), -3.0, np.float32), np.full((1, 2, 2), 0.5, np.float32)
        >>> np.array(Capacity(nats=3.0).validation_loss(log_lik, kl, 1.0))
        array([5., 5.], dtype=float32)
        """
        return given_mean(self.loss)(log_lik, kl, beta, mean)


def given_mean(loss: Callable) -> Callable:
    """The loss as a function that takes `mean`, whether it asks for it or not."""
    if len(signature(loss).parameters) > 3:
        return loss
    return lambda log_lik, kl, beta, mean: loss(log_lik, kl, beta)
