"""A table of all kinds of columns goes through every method."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skvae import VAETransformer

N = 200


def people():
    rng = np.random.default_rng(0)
    job = rng.integers(0, 3, N)
    frame = pd.DataFrame(
        {
            "job": np.array(["clerk", "smith", "judge"])[job],
            "town": pd.Categorical(rng.choice(["Rome", "Oslo"], N)),
            "income": 10.0 * job + rng.normal(size=N),
            "age": pd.array(rng.integers(20, 60, N), dtype="Int64"),
            "rich": (job == 2).astype(object),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(100 * job + rng.integers(0, 50, N), unit="D"),
        }
    )
    return frame.mask(rng.random(frame.shape) < 0.1)


def in_polars(frame):
    cells = {name: [None if pd.isna(cell) else cell for cell in frame[name]] for name in frame}
    return pl.DataFrame(cells).with_columns(pl.col("town").cast(pl.Categorical))


@pytest.mark.smoke
@pytest.mark.parametrize("X", [people(), in_polars(people())], ids=["pandas", "polars"])
def test_a_table_with_holes_goes_through_every_method(X):
    vae = VAETransformer(max_iter=30, hidden_layer_sizes=16, random_state=0).fit(X)
    Z = vae.transform(X)
    assert Z.shape == (N, 2)
    assert np.isfinite(vae.score(X))
    judges, filled = vae.sample(50, given={"job": "judge"}), vae.impute(X)
    for back in (
        vae.inverse_transform(Z),
        vae.sample(50),
        vae.posterior_predictive(X),
        judges,
        filled,
    ):
        assert type(back) is type(X)
        assert list(back.columns) == list(X.columns)
        assert list(back.dtypes) == list(X.dtypes)
        assert not any(pd.isna(back[name].to_list()).any() for name in back.columns)
    assert set(judges["job"]) == {"judge"}
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(vae)).transform(X), Z)
