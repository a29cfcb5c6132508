import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

from skvae import VAETransformer
from skvae.likelihoods import Histogram, WarpedGaussian
from skvae.table import _codec

RNG = np.random.default_rng(0)
N = 60
FRAME = pd.DataFrame(
    {
        "float": RNG.normal(size=N),
        "single": RNG.normal(size=N).astype(np.float32),
        "whole": RNG.integers(-5, 50, N),
        "byte": RNG.integers(0, 4, N).astype(np.uint8),
        "flag": RNG.random(N) < 0.3,
        "nullable": pd.array(RNG.integers(0, 9, N), dtype="Int64"),
        "same": np.full(N, 7, np.int32),
    }
)


def short(**parameters):
    return VAETransformer(max_iter=5, hidden_layer_sizes=8, random_state=0, **parameters)


def restored(vae, X):
    return vae.inverse_transform(vae.transform(X))


@pytest.mark.parametrize(
    "give",
    [lambda v, X: restored(v, X), lambda v, X: v.sample(N), lambda v, X: v.posterior_predictive(X)],
)
@pytest.mark.parametrize(
    "frame", [FRAME, pl.from_pandas(FRAME.drop(columns="nullable"))], ids=["pandas", "polars"]
)
def test_a_frame_comes_back_with_its_columns_dtypes_and_ranges(frame, give):
    back = give(short().fit(frame), frame)
    assert type(back) is type(frame)
    assert back.shape == frame.shape
    assert list(back.columns) == list(frame.columns)
    assert list(back.dtypes) == list(frame.dtypes)
    for name in ("whole", "byte"):
        assert frame[name].min() <= back[name].min() <= back[name].max() <= frame[name].max()
    assert (back["same"] == 7).all()


def test_columns_that_are_not_named_by_strings_come_back():
    frame = pd.DataFrame(RNG.normal(size=(20, 2)), columns=[2020, 2021])
    assert list(short().fit(frame).sample(3).columns) == [2020, 2021]


@pytest.mark.parametrize(
    "dtype", [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint16, bool]
)
def test_an_array_comes_back_in_its_dtype(dtype):
    X = RNG.integers(0, 5, (40, 3)).astype(dtype)
    vae = short().fit(X)
    assert vae.sample(4).dtype == dtype
    assert restored(vae, X).dtype == dtype


def test_float_arrays_under_the_bernoulli_come_back_as_probabilities_and_are_drawn_as_bits():
    X = (RNG.random((200, 3)) < 0.4).astype(float)
    vae = short(likelihood="bernoulli").fit(X)
    assert ((restored(vae, X) > 0.05) & (restored(vae, X) < 0.95)).all()
    assert set(np.unique(vae.sample(100))) == {0.0, 1.0}


def test_auto_looks_at_dtypes_and_never_at_values():
    bits = RNG.random((50, 2)) < 0.5
    assert repr(short().fit(bits).likelihood_) == "{0: Bernoulli(), 1: Bernoulli()}"
    floats = repr(short().fit(bits.astype(float)).likelihood_)
    assert floats == "{0: WarpedGaussian(), 1: WarpedGaussian()}"
    assert repr(short().fit(bits.astype(int)).likelihood_) == "{0: Histogram(), 1: Histogram()}"
    mixed = {name: repr(likelihood) for name, likelihood in short().fit(FRAME).likelihood_.items()}
    assert mixed == {
        "float": "WarpedGaussian()",
        "single": "WarpedGaussian()",
        "whole": "Histogram()",
        "byte": "Histogram()",
        "flag": "Bernoulli()",
        "nullable": "Histogram()",
        "same": "Histogram()",
    }


def test_a_list_replaces_what_auto_gives_columns_of_one_kind():
    own = [WarpedGaussian(scale="cell"), Histogram(n_bins=5)]
    found = short(likelihood=own).fit(FRAME).likelihood_
    assert repr(found["float"]) == repr(found["single"]) == "WarpedGaussian(scale='cell')"
    assert repr(found["whole"]) == repr(found["byte"]) == "Histogram(n_bins=5)"
    assert repr(found["flag"]) == "Bernoulli()"
    assert repr(short(likelihood=[]).fit(FRAME).likelihood_["float"]) == "WarpedGaussian()"


def test_models_with_a_list_are_cloned_and_kept_and_continued():
    vae = clone(short(likelihood=("histogram", WarpedGaussian("shared")), warm_start=True))
    found = pickle.loads(pickle.dumps(vae.fit(FRAME))).fit(FRAME).likelihood_
    assert repr(found["whole"]) == "Histogram()"
    assert repr(found["float"]) == "WarpedGaussian(scale='shared')"


@pytest.mark.parametrize(
    "wrong", [["gaussian"], ["warped_gaussian", WarpedGaussian(scale="cell")], ["bernoulli"] * 2]
)
def test_a_list_holds_at_most_one_of_each_that_auto_gives(wrong):
    with pytest.raises(ValueError, match="at most one each of bernoulli, .*; name the columns of"):
        short(likelihood=wrong).fit(FRAME)


def test_a_dict_holds_no_lists():
    with pytest.raises(ValueError, match="Unknown likelihood"):
        short(likelihood={"float": ["histogram"]}).fit(FRAME)


def test_whole_numbers_at_the_edge_of_their_dtype_come_back_exactly():
    for dtype, top in ((np.int64, 2**53 - 1), (np.uint64, 2**53 - 1), (np.int32, 2**31 - 1)):
        X = np.column_stack([np.full(30, top), RNG.choice([top, 0], 30)]).astype(dtype)
        back = short().fit(X).sample(200, random_state=0)
        assert (back[:, 0] == top).all()
        assert ((back[:, 1] >= 0) & (back[:, 1] <= top)).all()
        assert (back[:, 1] == top).any()


@pytest.mark.parametrize("value", [0.1, 1e12, -3.0])
def test_a_constant_column_is_restored_exactly_and_another_value_there_costs_what_was_never_seen(
    value,
):
    X = RNG.normal(size=(100, 2))
    with_constant = np.column_stack([X[:, 0], np.full(100, value), X[:, 1]])
    vae = short().fit(with_constant)
    assert (vae.sample(10)[:, 1] == value).all()
    other, hole = with_constant.copy(), with_constant.copy()
    other[:, 1], hole[:, 1] = np.resize([1e12 + 1, 5, -1e300], 100), np.nan
    scores = vae.score_samples(with_constant)
    np.testing.assert_allclose(vae.score_samples(other), scores - np.log(101))
    np.testing.assert_array_equal(vae.transform(other), vae.transform(with_constant))
    assert vae.score(hole) == pytest.approx(scores.mean(), abs=0.2)


@pytest.mark.parametrize("scale", [1e12, 1e-12, 1e300, 1e-300])
@pytest.mark.parametrize("offset", [0, 1e3])
def test_columns_of_any_magnitude_are_learned_and_come_back_in_their_units(scale, offset):
    X = (np.random.default_rng(0).normal(size=(100, 2)) + offset) * [scale, 1]
    vae = short().fit(X)
    assert np.isfinite(vae.score(X))
    drawn = vae.sample(2000, random_state=0)[:, 0] / scale
    assert abs(drawn.mean() - offset) < 1
    assert 0.5 < drawn.std() < 2


def test_scaling_a_column_changes_the_score_by_its_logarithm():
    X = np.random.default_rng(0).normal(size=(300, 4)) @ np.random.default_rng(1).normal(
        size=(4, 4)
    )
    scores = [short().fit(X * [scale, 1, 1, 1]).score(X * [scale, 1, 1, 1]) for scale in (1, 1000)]
    assert scores[0] - scores[1] == pytest.approx(np.log(1000), abs=1e-3)


def test_the_score_of_float32_rows_is_that_of_float64_rows():
    X = RNG.normal(size=(100, 3)).astype(np.float32)
    vae = short().fit(X)
    assert vae.score(X.astype(np.float64)) == pytest.approx(vae.score(X), abs=1e-3)


def test_far_away_rows_have_finite_codes_and_the_lowest_scores():
    X = RNG.normal(size=(100, 3))
    vae = short().fit(X)
    far = np.array([[1e300, 0, 0]])
    assert np.isfinite(vae.transform(far)).all()
    assert vae.score_samples(far) < vae.score_samples(X).min()


def bad(X, row, column, value):
    X = X.copy()
    X[row, column] = value
    return X


GOOD = RNG.random((30, 3))
CITIES = pd.DataFrame({"x": [1.0, 2], "city": ["Rome", "Oslo"]})


@pytest.mark.parametrize(
    ("X", "parameters", "message"),
    [
        (
            bad(GOOD, 5, 2, np.inf),
            {},
            r"Input X contains infinity in column 2 \(row 5\).*replace it or drop that row",
        ),
        (
            pd.DataFrame(bad(GOOD, 4, 1, np.inf), columns=["a", "b", "c"]),
            {},
            r"infinity in column 'b' \(row 4\)",
        ),
        (GOOD.astype(complex), {}, "Complex data not supported"),
        (np.empty((0, 3)), {}, "Found array with 0 sample"),
        (np.empty((3, 0)), {}, "0 feature"),
        (GOOD[0], {}, "Expected 2D array, got 1D array"),
        (
            np.array([["a", "b"]] * 5),
            {},
            "X is an array that holds text.*arrays need numbers; give a DataFrame",
        ),
        (
            CITIES,
            {"likelihood": "gaussian"},
            r"Column 'city' holds labels \(dtype \w+\), but Gaussian needs real",
        ),
        (
            pl.DataFrame(CITIES.to_dict("list")),
            {"likelihood": "gaussian"},
            "Column 'city' holds labels.*'categorical'",
        ),
        (
            CITIES,
            {"likelihood": {"town": "categorical"}},
            "likelihood names column 'town'.*its columns are 'x', 'city'",
        ),
        (
            CITIES.assign(x=[1j, 2]),
            {},
            "Column 'x' has dtype complex128.*give its real and its imaginary part",
        ),
        (CITIES.head(0), {}, r"Found array with 0 sample\(s\) \(shape=\(0, 2\)\)"),
        (pd.DataFrame(index=[0, 1]), {}, r"0 feature\(s\)"),
        (
            bad(GOOD, 7, 0, 3.7),
            {"likelihood": "bernoulli"},
            r"numbers between 0 and 1, but column 0 has 3.7 \(row 7\)",
        ),
        (
            bad(GOOD, 7, 0, -1),
            {"likelihood": "bernoulli"},
            r"^Negative values in data.*column 0 has -1 \(row 7\)",
        ),
        (
            bad(GOOD, 7, 0, 1.5),
            {"likelihood": "continuous_bernoulli"},
            r"0 and 1, but column 0 has 1.5",
        ),
        (GOOD, {"likelihood": "poisson"}, r"Poisson needs counts .*column 0 has .*'gaussian'"),
    ],
)
def test_bad_tables_get_one_clear_sentence(X, parameters, message):
    with pytest.raises(ValueError, match=message):
        short(**parameters).fit(X)


def test_a_message_names_the_column_whatever_the_order_of_likelihoods():
    X = pd.DataFrame(RNG.poisson(3.0, (30, 4)).astype(float), columns=list("abcd"))
    vae = short(likelihood={"a": "poisson", "c": "poisson", "d": "poisson"}).fit(X)
    for column in "acd":
        for wrong in (vae.transform, vae.fit):
            with pytest.raises(ValueError, match=rf"Poisson.*column '{column}' has -1.5 \(row 3\)"):
                wrong(X.assign(**{column: X[column].mask(X.index == 3, -1.5)}))
    with pytest.raises(ValueError, match="column 'a'"):
        vae.transform(-1 - X)


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_an_array_of_many_rows_is_restored_as_each_row_alone(dtype):
    X = RNG.integers(-3, 9, (100, 2)).astype(dtype)
    vae, Z = short().fit(X), RNG.normal(size=(40_000, 2))
    together = vae.inverse_transform(Z)
    assert together.dtype == dtype
    for places in (slice(0, 50), slice(-50, None)):
        np.testing.assert_array_equal(together[places], vae.inverse_transform(Z[places]))


def test_columns_are_named_in_messages_as_the_frame_names_them():
    with pytest.raises(ValueError, match=r"infinity in column 2021 \(row 4\)"):
        short().fit(pd.DataFrame(bad(GOOD, 4, 1, np.inf), columns=[2020, 2021, 2022]))
    with pytest.raises(ValueError, match="several columns named 'a'.*rename them"):
        short().fit(pd.DataFrame(GOOD, columns=["a", "b", "a"]))


def test_infinities_of_both_signs_and_values_near_the_largest_float_get_no_warning():
    both = bad(bad(GOOD, 0, 0, np.inf), 1, 0, -np.inf)
    with pytest.raises(ValueError, match="infinity in column 0"):
        short().fit(both)
    with pytest.raises(
        ValueError, match="Column 1 ranges from -1.7e\\+308 to 1.7e\\+308.*divide it"
    ):
        short().fit(bad(bad(GOOD, 0, 1, -1.7e308), 1, 1, 1.7e308))


def test_the_index_of_a_pandas_frame_comes_back():
    frame = FRAME.set_index(np.arange(N) + 1000)
    vae = short().set_output(transform="pandas").fit(frame)
    Z = vae.transform(frame)
    assert Z.index.equals(frame.index)
    assert vae.inverse_transform(Z).index.equals(frame.index)
    assert vae.posterior_predictive(frame).index.equals(frame.index)
    assert list(vae.posterior_predictive(frame.iloc[:3], n_draws=2).index) == [1000, 1001, 1002] * 2


def test_tables_of_another_schema_are_refused():
    vae = short().fit(FRAME)
    with pytest.raises(ValueError, match="feature names should match"):
        vae.transform(FRAME[FRAME.columns[::-1]])
    with pytest.raises(ValueError, match="X has 2 features, but VAETransformer is expecting 3"):
        short().fit(GOOD).transform(GOOD[:, :2])
    with pytest.raises(ValueError, match="numbers between 0 and 1"):
        short(likelihood="bernoulli").fit(GOOD).score(GOOD + 1)


def test_tables_with_very_many_values_of_labels_get_a_warning(monkeypatch):
    monkeypatch.setattr(_codec, "MANY", 50)
    frame = pd.DataFrame({"id": np.arange(60).astype(str), "x": RNG.normal(size=60)})
    with pytest.warns(
        UserWarning,
        match="60 different values and bins in all .60 in column 'id'.*Drop identifiers",
    ):
        short(likelihood={"id": "categorical"}).fit(frame)
