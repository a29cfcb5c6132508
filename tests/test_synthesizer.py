"""The ready synthesiser: any table in, rows like its own out."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skvae import VAESynthesizer, VAETransformer, _synthesizer
from skvae.table._aside import Codes

RNG = np.random.default_rng(0)
N = 240


def table():
    kind = RNG.integers(3, size=N)
    return pd.DataFrame(
        {
            "customer_id": RNG.permutation(N) + 1000,
            "code": [f"AB-{i:05d}" for i in RNG.permutation(90_000)[:N]],
            "kind": pd.Categorical.from_codes(kind, ["a", "b", "c"], ordered=True),
            "price": (RNG.lognormal(2, 0.5, N) + kind).round(2),
            "rooms": RNG.integers(1, 6, N).astype(float),
            "note": [f"seen by {i} at noon, again later" for i in RNG.permutation(N)],
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 400, N), "D"),
        }
    ).set_index(np.arange(N) + 7)


TABLE = table()
TABLE.loc[TABLE["kind"] == "b", "rooms"] = np.nan


def small(**parameters):
    vae = VAETransformer(2, hidden_layer_sizes=8, max_iter=2, autoregressive=True, **parameters)
    return VAESynthesizer(vae, random_state=0)


@pytest.fixture(scope="module")
def fitted():
    synthesizer = VAESynthesizer(random_state=0)
    with pytest.warns(UserWarning, match="^Columns without a part in the model: 'customer_id', "):
        return synthesizer.fit(TABLE)


def test_rows_are_those_of_such_a_table(fitted):
    rows = fitted.sample(1000, random_state=0)
    assert rows.columns.tolist() == TABLE.columns.tolist()
    assert rows.dtypes.drop("kind").equals(TABLE.dtypes.drop("kind"))
    assert rows["kind"].cat.categories.tolist() == ["a", "b", "c"]
    assert rows["price"].between(TABLE["price"].min(), TABLE["price"].max()).all()
    np.testing.assert_array_equal(rows["price"].round(2), rows["price"])
    assert set(rows["rooms"].dropna()) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    holes = rows["rooms"].isna()
    assert holes[rows["kind"] == "b"].mean() > 0.9
    assert holes[rows["kind"] != "b"].mean() < 0.1
    assert (
        not fitted.sample(100, random_state=0, missing=False)
        .drop(columns="note")
        .isna()
        .any(axis=None)
    )


def test_identifiers_are_made_anew_and_free_text_is_missing(fitted):
    rows = fitted.sample(500, random_state=0)
    for name in ("customer_id", "code"):
        assert rows[name].is_unique
    assert not set(rows["customer_id"]) & set(TABLE["customer_id"])
    assert rows["code"].str.fullmatch(r"AB-[0-9]{5}(-[0-9]+)?").all()
    assert rows["note"].isna().all()
    assert fitted.n_features_in_ == TABLE.shape[1]
    assert fitted.feature_names_in_.tolist() == TABLE.columns.tolist()
    assert fitted.vae_.n_features_in_ == 4


def test_the_same_seed_gives_the_same_rows(fitted):
    again = fitted.sample(20, random_state=3)
    pd.testing.assert_frame_equal(again, fitted.sample(20, random_state=3))
    assert not again.equals(fitted.sample(20, random_state=4))


def test_conditions_are_met(fitted):
    given = pd.DataFrame({"kind": ["a", "c"]}, index=["x", "y"])
    rows = fitted.sample(30, random_state=0, given=given)
    assert rows.index.tolist() == ["x", "y"] * 30
    assert rows["kind"].tolist() == ["a", "c"] * 30
    assert rows["customer_id"].is_unique


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries_come_back_as_such(library):
    frame = pl.from_pandas(TABLE.drop(columns="kind"))
    frame = frame if library == "polars" else frame.to_arrow()
    with pytest.warns(UserWarning, match="identifiers and made anew"):
        rows = small().fit(frame).sample(40, random_state=0)
    assert type(rows) is type(frame)
    assert rows.schema == frame.schema


def test_an_array_stays_an_array():
    X = RNG.normal(size=(80, 3))
    rows = small().fit(X).sample(9, random_state=0)
    assert rows.shape == (9, 3)


@pytest.mark.filterwarnings("ignore:Columns that may want another look")  # under its floats
def test_any_model_will_do_and_is_left_as_it_is():
    vae = VAETransformer(2, hidden_layer_sizes=8, max_iter=2)
    synthesizer = VAESynthesizer(vae, random_state=0).fit(TABLE[["price", "rooms"]])
    assert not hasattr(vae, "_model")
    assert not synthesizer.sample(50, random_state=0).isna().any(axis=None)
    assert clone(synthesizer).get_params()["vae__max_iter"] == 2
    with pytest.raises(NotFittedError):
        clone(synthesizer).sample()


@pytest.mark.parametrize(("n", "epochs"), [(100, 100), (40_000, 20), (200_000, 10)])
def test_epochs_are_fewer_where_rows_are_many(n, epochs, monkeypatch):
    monkeypatch.setattr(_synthesizer, "fitted", lambda vae, X, owner, y: vae)
    assert VAESynthesizer().fit(RNG.normal(size=(n, 1))).vae_.max_iter == epochs


@pytest.mark.parametrize("is_default", [True, False])
def test_a_model_of_its_own_does_not_ask_the_user_to_train_it_longer(is_default, monkeypatch):
    x = np.repeat(RNG.normal(size=(2000, 1)), 6, axis=1) + 0.01 * RNG.normal(size=(2000, 6))
    vae = VAETransformer(2, hidden_layer_sizes=16, max_iter=12)
    monkeypatch.setattr(_synthesizer, "_ready", lambda *_: vae)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        VAESynthesizer(None if is_default else vae, random_state=0).fit(x)
    told = ["still gaining" in str(warning.message) for warning in caught]
    assert any(told) != is_default


def test_nothing_to_learn_is_one_sentence():
    with (
        pytest.warns(UserWarning, match="free text"),
        pytest.raises(ValueError, match="^X has nothing but identifiers and free text"),
    ):
        small().fit(TABLE[["customer_id", "note"]])


def test_measures_and_labels_are_no_identifiers():
    many = pd.DataFrame(
        {
            "income": RNG.permutation(10**6)[:N],  # all differ, as measures may
            "city": RNG.choice([f"city {i}" for i in range(60)], N),
            "few": ["x", "y"] * (N // 2),
        }
    )
    assert small().fit(many).vae_.n_features_in_ == 3


def test_texts_differ_even_where_there_are_few():
    made = Codes.of(["a1", "a2", "b1"]).made(50, RNG)
    assert len(set(made)) == 50


@pytest.mark.parametrize("chained", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_a_second_fit_leaves_nothing_of_the_first(chained):
    vae = VAETransformer(2, hidden_layer_sizes=4, max_iter=2, autoregressive=chained)
    first = pd.DataFrame({"a": range(60), "b": np.arange(60) % 2, "c": 1.5})
    second = pd.DataFrame({"x": np.arange(60) % 3, "y": list("uvw") * 20})
    synthesizer = VAESynthesizer(vae, random_state=0).fit(first).fit(second)
    assert synthesizer.sample(2).columns.tolist() == ["x", "y"]
    assert synthesizer.feature_names_in_.tolist() == ["x", "y"]
    assert synthesizer.fit(first.to_numpy()[:, 1:]).sample(2).shape == (2, 2)
    assert not hasattr(synthesizer, "feature_names_in_")
