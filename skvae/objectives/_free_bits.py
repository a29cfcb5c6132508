from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

from skvae._math import ops
from skvae._sklearn import Interval
from skvae.objectives._base import Objective, mean_over_rows


class FreeBits(Objective):
    """ELBO in which the first nats of each latent dimension are free, so that none goes unused.

    The KL term is the sum over dimensions of the larger of `nats` and the dimension's mean
    over the rows of a batch. It needs a KL in closed form: a normal prior and a Gaussian
    posterior.

    Parameters
    ----------
    nats : float, default=0.25
        Per latent dimension.

    References
    ----------
    Kingma et al. (2016). Improved Variational Inference with Inverse Autoregressive Flow.

    Examples
    --------
    >>> from skvae.objectives import FreeBits
    >>> FreeBits(nats=0.5)
    FreeBits(nats=0.5)
    """

    closed_form_kl: ClassVar[bool] = True
    by_dimension: ClassVar[bool] = True

    _parameter_constraints: dict = {"nats": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, nats: float = 0.25):
        self.nats = nats

    def loss(self, log_lik: Any, kl: Any, beta: Any, mean: Callable = mean_over_rows) -> Any:
        paid = ops.maximum(mean(ops.mean(kl, axis=0)), self.nats)  # (latent_dim,)
        return beta * ops.sum(paid) - ops.mean(log_lik, axis=0)
