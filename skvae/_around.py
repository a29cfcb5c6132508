"""What estimators around a model show of it."""

from typing import Any

from sklearn.base import BaseEstimator

from skvae._sklearn import visual_block
from skvae._vae import VAETransformer


class Around(BaseEstimator):
    """An estimator with a parameter `vae`, which shows the model that None stands for too."""

    vae: VAETransformer | None
    _MODEL: dict  # settings of that model

    def _model(self) -> VAETransformer:
        """The model to fit."""
        return VAETransformer(**self._MODEL) if self.vae is None else self.vae

    def _shown(self) -> BaseEstimator:
        """One of the same name and parameters, but for None."""
        kind: Any = type(type(self).__name__, (BaseEstimator,), {"__init__": type(self).__init__})
        shown = kind.__new__(kind)  # the __init__ of a subclass may call its parent's
        vars(shown).update(self.get_params(deep=False), vae=self._model())
        return shown

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return self._shown().__repr__(N_CHAR_MAX)

    def _sk_visual_block_(self) -> Any:
        """Boxes of scikit-learn's diagram."""
        return visual_block(self._shown())


class Later:
    """A setting that `fit` finds, by what it sees."""

    def __init__(self, by: str):
        self.by = by

    def __repr__(self) -> str:
        return f"<{self.by}>"
