from typing import Any, ClassVar

from skvae._math import ops
from skvae.objectives._base import Objective


class ELBO(Objective):
    """Evidence lower bound: mean log-likelihood less beta times the KL term.

    References
    ----------
    Kingma, Welling (2014). Auto-Encoding Variational Bayes.
    Higgins et al. (2017). beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework.

    Examples
    --------
    >>> from skvae.objectives import ELBO
    >>> ELBO()
    ELBO()
    """

    closed_form_kl: ClassVar[bool] = True

    def loss(self, log_lik: Any, kl: Any, beta: Any) -> Any:  # type: ignore[override]  # no mean
        return ops.mean(ops.sum(kl, axis=-1), axis=0) * beta - ops.mean(log_lik, axis=0)
