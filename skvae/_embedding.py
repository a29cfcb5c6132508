"""Where training may start: a linear or manifold embedding of some rows."""

import warnings
from typing import Any

import numpy as np
from scipy.sparse import SparseEfficiencyWarning
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.manifold import Isomap

MOST_ROWS = 2000  # manifold methods take time that grows with the square of the rows
N_NEIGHBORS = 10  # of Isomap: with its own 5, rows at random often fall into several pieces


def embedding(init: Any, features: np.ndarray, latent_dim: int) -> np.ndarray:
    """Rows in standardised dimensions, (rows, latent_dim); zeros where there are fewer of them than asked for."""
    z = np.zeros((len(features), latent_dim), np.float32)
    if len(features) == 1:
        return z
    n_components = min(latent_dim, *features.shape)
    method = _method(init, len(features)).set_params(n_components=n_components)
    with warnings.catch_warnings():  # pieces that Isomap has to join are fine; it would be slow on many rows only
        warnings.filterwarnings("ignore", "The number of connected components")
        warnings.simplefilter("ignore", SparseEfficiencyWarning)
        found = np.asarray(method.fit_transform(features), np.float64)
    if found.shape != (len(features), n_components) or not np.isfinite(found).all():
        raise ValueError(
            f"init={init!r} gave an array of shape {found.shape} for {len(features)} rows, but finite values of shape "
            f"({len(features)}, {n_components}) are expected: a column for each latent dimension."
        )
    found -= found.mean(axis=0)
    scale = found.std(axis=0)
    z[:, :n_components] = found / np.where(scale > 0, scale, 1.0)
    return z


def _method(init: Any, n_rows: int) -> Any:
    if not isinstance(init, str):
        return clone(init)
    return {"pca": PCA(), "isomap": Isomap(n_neighbors=max(1, min(N_NEIGHBORS, n_rows - 1)))}[init]
