from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

from skvae._math import ops
from skvae._sklearn import Interval
from skvae.objectives._base import Objective, mean_over_rows


class Capacity(Objective):
    """Mean log-likelihood less `weight` times the distance of the KL term from a capacity.

    `beta` is the share of the capacity that is open: it rises with its schedule to
    `beta * nats`, linearly at first under a plain number. `beta=Constant()` opens all at once.

    Parameters
    ----------
    nats : float, default=5.0
        What the latent point shall tell about a row, as the mean over rows of KL(q || p).
    weight : float, default=100.0
        Nats per nat. At 1 nothing is held below the KL that the ELBO has by itself; from about 10
        on the KL meets the mark, and the smaller the weight, the better is the rest learned.

    References
    ----------
    Burgess et al. (2018). Understanding disentangling in beta-VAE.

    Examples
    --------
    >>> from skvae.objectives import Capacity
    >>> Capacity(nats=3.0)
    Capacity(nats=3.0)
    """

    closed_form_kl: ClassVar[bool] = True

    _parameter_constraints: dict = {
        "nats": [Interval(Real, 0, None, closed="left")],
        "weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, nats: float = 5.0, weight: float = 100.0):
        self.nats = nats
        self.weight = weight

    def loss(self, log_lik: Any, kl: Any, beta: Any, mean: Callable = mean_over_rows) -> Any:
        return self.weight * self._distance(kl, beta, mean) - ops.mean(log_lik, axis=0)

    def validation_loss(
        self, log_lik: Any, kl: Any, beta: Any, mean: Callable = mean_over_rows
    ) -> Any:
        # With a weight of 1: times 100, the KL's distance from its mark would decide alone.
        return self._distance(kl, beta, mean) - ops.mean(log_lik, axis=0)

    def _distance(self, kl: Any, beta: Any, mean: Callable) -> Any:
        return ops.abs(mean(ops.mean(ops.sum(kl, axis=-1), axis=0)) - beta * self.nats)
