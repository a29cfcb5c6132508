from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, logit

from skvae._component import resolve
from skvae._math import bounded, ops
from skvae._memory import spread
from skvae.likelihoods._base import Column, Likelihood, Size

INNER = "inner_"  # what the names of the inner likelihood's arrays begin with
MIN_SHARE = 1e-3  # a column that is almost always or never 0 starts no further out than this


class ZeroInflated(Likelihood):
    """Exact zeros with a probability of their own, and another likelihood for the rest.

    The decoder gives the logit of a zero besides what the other likelihood needs. Among
    counts a zero may come from either; of positive numbers, zero is a value apart.

    Parameters
    ----------
    likelihood : str or Likelihood, default="poisson"
        Of the rest: counts, as "poisson" and "negative_binomial", or positive numbers
        without 0, as "lognormal" and "beta". Objects, also of your own, are taken as well.

    Raises
    ------
    ValueError
        In use, if `likelihood` is neither of counts nor of positive numbers without 0.

    References
    ----------
    Lambert (1992). Zero-Inflated Poisson Regression, with an Application to Defects in
    Manufacturing.

    Examples
    --------
    >>> from skvae.likelihoods import ZeroInflated
    >>> ZeroInflated("lognormal").measure
    'mixed'
    """

    positive_only: ClassVar[bool] = True

    def __init__(self, likelihood: str | Likelihood = "poisson"):
        self.likelihood = likelihood

    @property
    def measure(self) -> str:  # type: ignore[override]  # what it wraps says so
        """What scores are: that of the rest, or "mixed" where the rest has a density.

        Examples
        --------
        >>> from skvae.likelihoods import ZeroInflated
        >>> ZeroInflated("poisson").measure, ZeroInflated("lognormal").measure
        ('mass', 'mixed')
        """
        return "mass" if self._inner().measure == "mass" else "mixed"

    @property
    def zero_is_atom(self) -> bool:  # type: ignore[override]  # as above
        """Whether 0 has a probability of its own beside a density.

        Examples
        --------
        >>> from skvae.likelihoods import ZeroInflated
        >>> ZeroInflated("poisson").zero_is_atom, ZeroInflated("lognormal").zero_is_atom
        (False, True)
        """
        return self.measure == "mixed"

    @property
    def support(self) -> str:  # type: ignore[override]  # as above
        """What cells may be, in words.

        Examples
        --------
        >>> from skvae.likelihoods import ZeroInflated
        >>> ZeroInflated("lognormal").support
        '0 or positive numbers'
        """
        inner = self._inner()
        return inner.support if inner.measure == "mass" else f"0 or {inner.support}"

    def supports(self, X: np.ndarray) -> np.ndarray:
        return (X == 0) | self._inner().supports(X)

    def location_and_scale(self, X: np.ndarray) -> tuple[float, float]:
        rest = X[X != 0]
        return 0.0, self._inner().location_and_scale(rest)[1] if len(rest) else 1.0

    def n_features(self, size: Size) -> int:
        return self._inner().n_features(size) + size.cells

    def n_raw(self, size: Size) -> int:
        return self._inner().n_raw(size) + size.cells

    def init(self, size: Size) -> dict[str, np.ndarray]:
        return _prefixed(self._inner().init(size))

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        inner = self._inner()
        zeros = (x == 0).mean(axis=0).clip(MIN_SHARE, 1 - MIN_SHARE)
        rest = _without_zeros(x, _possible(inner))
        filler = rest.mean(axis=0, dtype=np.float64)  # inside of the support, and no row's own
        return {
            "base_logit": logit(zeros).astype(np.float32),
            "filler": filler.astype(np.float32),
            **_prefixed(inner.constants(rest, columns)),
        }

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        rest = seen * ops.cast(x != 0, "float32")
        x = ops.where(rest > 0, x, w["filler"])
        inner = self._inner().features(_own(w), x, rest)
        return ops.concatenate([inner, seen - rest], axis=-1)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        inner, (raw, logits) = self._inner(), self._split(w, raw)
        log_zero, log_rest = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        if inner.measure == "mass":
            log_p = log_rest + inner.log_prob(_own(w), x, raw)
            return ops.where(x == 0, ops.logaddexp(log_zero, log_p), log_p)
        log_p = log_rest + inner.log_prob(_own(w), ops.where(x == 0, w["filler"], x), raw)
        return ops.where(x == 0, log_zero, log_p)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        raw, logits = self._split(w, raw, np)
        return expit(-logits) * self._inner().point(_own(w), raw)

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        raw, logits = self._split(w, raw, np)
        rest = self._inner().sample(_own(w), raw, rng)
        return np.where(rng.random(rest.shape) < expit(logits), 0.0, rest)

    def _split(self, w: dict, raw: Any, xp: Any = ops) -> tuple[Any, Any]:
        n_cells = w["base_logit"].shape[-1]
        return raw[..., :-n_cells], w["base_logit"] + bounded(raw[..., -n_cells:], xp)

    def _inner(self) -> Likelihood:
        from skvae import likelihoods

        inner = resolve(self.likelihood, Likelihood, likelihoods)
        supported = inner.supports(np.array([-1.0, 0.0, 0.5, 1.0])).tolist()
        of_numbers = inner.measure == "mass" and not inner.over_levels
        if of_numbers and supported == [False, True, False, True]:
            return inner
        if inner.measure == "density" and not any(supported[:2]):  # positive ones
            return inner
        raise ValueError(
            "ZeroInflated needs a likelihood of counts or of positive numbers without 0, but "
            f"likelihood={self.likelihood!r} is one of {inner.support}. Use 'poisson', "
            "'negative_binomial' or 'lognormal'."
        )


def _possible(inner: Likelihood) -> float:
    """A number that the likelihood of the rest may give."""
    return next((value for value in (1.0, 0.5) if inner.supports(np.array(value))), 1.0)


def _without_zeros(x: np.ndarray, default: float) -> np.ndarray:
    """As many rows of non-zero values only: those of each column, some of them repeated."""
    rests = [column[column != 0] for column in x.T]
    columns = [spread(rest if len(rest) else np.array([default]), len(x)) for rest in rests]
    return np.stack(columns, axis=-1).astype(x.dtype)


def _prefixed(arrays: dict) -> dict:
    return {INNER + name: array for name, array in arrays.items()}


def _own(w: dict) -> dict:
    return {name.removeprefix(INNER): array for name, array in w.items() if name.startswith(INNER)}
