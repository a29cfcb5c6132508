from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logit

from skvae._math import ops
from skvae.likelihoods._base import Column, Likelihood, in_unit_interval

MIN_RATE = 1e-3  # a column that is almost always 0 or 1 starts no further out than this


class Bernoulli(Likelihood):
    """Zeros and ones, each with the probability that the decoder gives.

    Values strictly between 0 and 1, such as grey pixels, are read as probabilities: the
    log-probability is then the negative cross-entropy, which is a useful loss but neither
    a density nor a mass; `ContinuousBernoulli` is the density for such values. Float
    columns are restored as probabilities, integers and booleans as the more likely value;
    all are drawn as zeros and ones.

    References
    ----------
    Kingma, Welling (2014). Auto-Encoding Variational Bayes, appendix C.1.

    Examples
    --------
    >>> from skvae.likelihoods import Bernoulli
    >>> Bernoulli()
    Bernoulli()
    """

    measure: ClassVar[str] = "mass"
    auto_for: ClassVar[tuple[str, ...]] = ("boolean",)
    support: ClassVar[str] = "numbers between 0 and 1"
    positive_only: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return in_unit_interval(X)

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        rate = x.mean(axis=0, dtype=float).clip(MIN_RATE, 1 - MIN_RATE)
        return {"base_logit": logit(rate).astype(np.float32)}

    def n_codes(self, column: Column) -> int:
        return 2

    def raw_of(self, w: dict, log_probs: np.ndarray) -> np.ndarray:
        return np.diff(log_probs, axis=-1) - w["base_logit"]

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        logits = w["base_logit"] + raw
        return x * logits - ops.softplus(logits)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return expit(w["base_logit"] + raw)

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return (rng.random(raw.shape) < self.point(w, raw)).astype(np.float32)
