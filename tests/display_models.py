"""Small models and a mixed table for the tests of pictures."""

import numpy as np
import pandas as pd

from skvae import VAETransformer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2)) @ RNG.normal(size=(2, 4)) + 0.1 * RNG.normal(size=(120, 4))
MIXED = pd.DataFrame(
    {
        "size": X[:, 0],
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(30 * X[:, 1]), unit="D"),
        "kind": np.where(X[:, 2] > 0, "large", "small"),
        "whole": pd.array(np.round(10 * X[:, 3]), dtype="Int64"),
        "same": "one",
    }
)


def small(latent_dim=2, **parameters):
    settings = {"hidden_layer_sizes": 16, "max_iter": 8, "random_state": 0}
    return VAETransformer(latent_dim, **settings | parameters)


def texts(ax):
    return [text.get_text() for text in ax.texts]
