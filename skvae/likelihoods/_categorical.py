from typing import Any, ClassVar

import numpy as np

from skvae._math import bounded
from skvae.likelihoods import _slots
from skvae.likelihoods._base import Column, Likelihood, Size


class Categorical(Likelihood):
    """One of several levels, each with the probability that the decoder gives.

    For text, pandas categories and any column whose values are labels. The levels are
    those seen in `fit`; the encoder sees them one-hot. What comes back is the most likely
    level; a draw is a level drawn by its probability, so that rare ones are not lost.

    References
    ----------
    Nazabal, Olmos, Ghahramani, Valera (2020). Handling incomplete heterogeneous data using
    VAEs.

    Examples
    --------
    >>> from skvae.likelihoods import Categorical
    >>> Categorical()
    Categorical()
    """

    measure: ClassVar[str] = "mass"
    support: ClassVar[str] = "levels"
    has_slots: ClassVar[bool] = True
    auto_for: ClassVar[tuple[str, ...]] = ("category",)
    over_levels: ClassVar[bool] = True

    def supports(self, X: np.ndarray) -> np.ndarray:
        return (X >= 0) & (np.floor(X) == X) & np.isfinite(X)

    def n_features(self, size: Size) -> int:
        return size.slots

    def n_raw(self, size: Size) -> int:
        return size.slots

    def constants(self, x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        return _slots.constants(x, columns)

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        return _slots.one_hot_seen(w, x, seen)

    def raw_of(self, w: dict, log_probs: np.ndarray) -> np.ndarray:
        return _slots.raw_of(w, log_probs)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        return _slots.log_prob(w, x, w["base"] + bounded(raw))

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        return _slots.most_likely(self._probabilities(w, raw))

    def point_of_mixture(self, w: dict, raw: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return _slots.most_likely(_slots.mixture(self._probabilities(w, raw), weights))

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _slots.draws(self._probabilities(w, raw), rng)

    def _probabilities(self, w: dict, raw: np.ndarray) -> list[np.ndarray]:
        return _slots.probabilities(w, w["base"] + bounded(raw, np))
