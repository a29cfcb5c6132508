"""The interface of what is maximised."""

from abc import abstractmethod
from typing import Any, ClassVar

from skvae._component import Component


class Objective(Component):
    """What training brings down."""

    closed_form_kl: ClassVar[bool]  # whether it may have the KL in closed form: not where it is inside of a log-mean
    by_dimension: ClassVar[bool] = False  # whether it needs the KL of each latent dimension

    @abstractmethod
    def loss(self, log_lik: Any, kl: Any, beta: Any) -> Any:
        """Loss of each row in nats, `(rows,)`.

        `log_lik` is `(draws, rows)`; `kl` is `(1, rows, latent_dim)` in closed form, else
        `(draws, rows, 1)`.
        """

    def validation_loss(self, log_lik: Any, kl: Any, beta: Any) -> Any:
        """What early stopping goes by, of the same shapes; the loss, unless that jumps from epoch to epoch."""
        return self.loss(log_lik, kl, beta)
