from typing import Any, ClassVar

from skvae._math import ops
from skvae.objectives._base import Objective


class IWAE(Objective):
    """Importance-weighted bound: the log-mean of p(x, z) / q(z | x) over `n_draws` draws.

    Closer to log p(x) than the ELBO, the more so the more draws; with one draw it is the
    ELBO. With holes it makes better use of what little a row shows. `beta` weights the log
    of q / p.

    References
    ----------
    Burda, Grosse, Salakhutdinov (2016). Importance Weighted Autoencoders.
    Mattei, Frellsen (2019). MIWAE: Deep Generative Modelling and Imputation of Incomplete
    Data Sets.

    Examples
    --------
    >>> from skvae.objectives import IWAE
    >>> IWAE()
    IWAE()
    """

    closed_form_kl: ClassVar[bool] = False

    def loss(self, log_lik: Any, kl: Any, beta: Any) -> Any:  # type: ignore[override]  # no mean
        log_w = log_lik - beta * ops.sum(kl, axis=-1)
        return ops.log(ops.cast(ops.shape(log_w)[0], "float32")) - ops.logsumexp(log_w, axis=0)
