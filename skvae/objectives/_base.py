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
    """

    closed_form_kl: ClassVar[bool] = False  # not where the KL is inside of a log-mean
    by_dimension: ClassVar[bool] = False  # whether it needs the KL of each latent dimension

    @abstractmethod
    def loss(self, log_lik: Any, kl: Any, beta: Any, mean: Callable = mean_over_rows) -> Any:
        """Loss of each row in nats, `(rows,)`.

        `log_lik` is `(draws, rows)`; `kl` is `(1, rows, latent_dim)` in closed form, else
        `(draws, rows, 1)`. `mean` takes the mean over rows, of an array `(rows, ...)`; where no
        row's loss depends on other rows, leave it out of the parameters.
        """

    def validation_loss(
        self, log_lik: Any, kl: Any, beta: Any, mean: Callable = mean_over_rows
    ) -> Any:
        """What early stopping goes by, same shapes: the loss, unless it jumps between epochs."""
        return given_mean(self.loss)(log_lik, kl, beta, mean)


def given_mean(loss: Callable) -> Callable:
    """The loss as a function that takes `mean`, whether it asks for it or not."""
    if len(signature(loss).parameters) > 3:
        return loss
    return lambda log_lik, kl, beta, mean: loss(log_lik, kl, beta)
