"""Where training may start: a linear or manifold embedding of some rows."""

import warnings
from typing import Any

import numpy as np
from scipy.sparse import SparseEfficiencyWarning
from sklearn.base import clone

N_NEIGHBORS = 10  # of Isomap: with its own 5, rows at random often fall into several pieces
NOISE = 1e-6  # a dimension with less than this share of the widest one's scale is rounding


def embedding(init: Any, features: np.ndarray, latent_dim: int, seed: int = 0) -> np.ndarray:
    """Rows in standardised dimensions, (rows, latent_dim); zeros where there are fewer of them."""
    z = np.zeros((len(features), latent_dim), np.float32)
    if len(features) == 1:
        return z
    n_components = min(latent_dim, *features.shape)
    found = _fitted(init, features, n_components, seed)
    if found.shape != (len(features), n_components) or not np.isfinite(found).all():
        raise ValueError(
            f"init={init!r} gave an array of shape {found.shape} for {len(features)} rows, but "
            f"finite values of shape ({len(features)}, {n_components}) are expected: a column for "
            "each latent dimension."
        )
    z[:, :n_components] = _standardised(found)
    return z


def _standardised(z: np.ndarray) -> np.ndarray:
    """Dimensions with mean 0 and scale 1; zeros where there is but rounding."""
    z = z - z.mean(axis=0)
    scale = z.std(axis=0)
    return np.where(scale > NOISE * scale.max(), z / np.where(scale > 0, scale, 1.0), 0.0)


def _fitted(init: Any, features: np.ndarray, n_components: int, seed: int) -> np.ndarray:
    """What the method gives; in fewer dimensions where Isomap finds no more in its distances."""
    method = _method(init, len(features), n_components, seed)
    with warnings.catch_warnings():
        # pieces that Isomap has to join are fine; it would be slow on many rows only
        warnings.filterwarnings("ignore", "The number of connected components")
        warnings.simplefilter("ignore", SparseEfficiencyWarning)
        try:
            return np.asarray(method.fit_transform(features), np.float64)
        except ValueError:
            if init != "isomap" or n_components == 1:
                raise
    fewer = _fitted(init, features, n_components // 2, seed)
    return np.pad(fewer, ((0, 0), (0, n_components - fewer.shape[1])))


def _method(init: Any, n_rows: int, n_components: int, seed: int) -> Any:
    """The method, about to fit so many dimensions."""
    method = _made(init, n_rows)
    if "n_components" not in method.get_params():
        raise ValueError(
            f"init={init!r} has no parameter n_components, but a transformer with as many columns "
            "as latent_dim is expected, such as PCA() or Isomap()."
        )
    method.set_params(n_components=n_components)
    if method.get_params().get("random_state", 0) is None:
        method.set_params(random_state=seed)
    return method


def _made(init: Any, n_rows: int) -> Any:
    if isinstance(init, type):
        raise ValueError(f"init={init!r} is a class, but an object is expected: {init.__name__}().")
    if not isinstance(init, str):
        return clone(init)
    # Importing them takes a tenth of a short fit.
    from sklearn.decomposition import PCA
    from sklearn.manifold import Isomap

    n_neighbors = max(1, min(N_NEIGHBORS, n_rows - 1))
    # the other solver starts at random
    isomap = Isomap(n_neighbors=n_neighbors, eigen_solver="dense")
    return {"pca": PCA(svd_solver="full"), "isomap": isomap}[init]
