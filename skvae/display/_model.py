"""The model inside of an estimator, by its public methods."""

from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skvae.display._tables import frame_of

N_DRAWN = 500  # rows that say how wide columns are
METHODS = "transform", "inverse_transform", "sample", "sample_latent"


class Model:
    """The VAETransformer that an estimator is, holds as `vae_`, or has as its last step."""

    def __init__(self, estimator: Any):
        self.before, self.names = None, getattr(estimator, "feature_names_in_", None)
        if hasattr(estimator, "steps"):
            self.before = estimator[:-1] if len(estimator) > 1 else None
            estimator = estimator[-1]
        self.vae = getattr(estimator, "vae_", estimator)
        self.is_inside = self.vae is not estimator
        if not all(hasattr(self.vae, name) for name in METHODS):
            raise TypeError(
                f"{estimator!r} has no latent space to look at; give a VAETransformer, a fitted "
                "estimator that has one as vae_, or a Pipeline that ends in one of these."
            )
        check_is_fitted(self.vae)

    @property
    def columns(self) -> list | None:
        """Those of a frame that the model has learned, where an estimator around it leaves some."""
        names = getattr(self.vae, "feature_names_in_", None)
        return list(names) if self.is_inside and names is not None else None

    def rows(self, X: Any) -> Any:
        """Rows of the user's as the model takes them."""
        X = X if self.before is None else self.before.transform(X)
        return X if self.columns is None else X[self.columns]

    def codes(self, X: Any) -> np.ndarray:
        """The latent points of rows, (rows, dimensions)."""
        return np.asarray(self.vae.transform(self.rows(X)))

    def own(self, X: Any) -> Any:
        """Rows of the user's as a frame of pandas, like those that are restored."""
        return frame_of(X) if self.before is not None else frame_of(self.rows(X))

    def draws(self, X: Any, n_draws: int) -> np.ndarray:
        """Draws of the latent points of rows, (draws, rows, dimensions)."""
        return self.vae.sample_latent(self.rows(X), n_draws, random_state=0)

    def table(self, X: Any) -> Any:
        """Rows of the model's as a frame of pandas, like the user's."""
        if self.before is None:
            return frame_of(X)
        return frame_of(self.before.inverse_transform(X), self.names)

    def restored(self, Z: np.ndarray) -> Any:
        """The rows at latent points."""
        return self.table(self.vae.inverse_transform(Z))

    def drawn(self) -> Any:
        """New rows."""
        return self.table(self.vae.sample(N_DRAWN, random_state=0))

    @cached_property
    def latent_dim(self) -> int:
        """How many dimensions the latent space has."""
        return len(self.vae.get_feature_names_out())

    @property
    def nats(self) -> np.ndarray | None:
        """What each latent dimension carries, where that is known."""
        nats = np.asarray(getattr(self.vae, "latent_kl_", ()))
        return nats if len(nats) == self.latent_dim else None

    def used(self, most: int) -> list[int]:
        """The dimensions that carry most, that first; as they come where it is not known."""
        nats = np.zeros(self.latent_dim) if self.nats is None else self.nats
        return np.argsort(-nats, kind="stable")[:most].tolist()

    def dimensions(self, dims: Any, most: int) -> list[int]:
        """Dimensions that were asked for, if there are such, or those that carry most."""
        if dims is None:
            return self.used(most)
        known, asked = range(self.latent_dim), list(dims) if np.iterable(dims) else []
        if not asked or len(set(asked)) < len(asked) or not set(asked) <= set(known):
            raise ValueError(
                f"dims={dims!r}, but the latent space has the dimensions {list(known)}; give a "
                "list of some of these, each once."
            )
        return [int(i) for i in dims]

    def told(self, i: int) -> str:
        """A latent dimension and what it carries."""
        nats = "" if self.nats is None else f" ({self.nats[i]:.2g} nats)"
        return f"latent {i}{nats}"
