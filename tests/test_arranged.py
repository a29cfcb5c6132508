"""Weights of rows, and fits that the order of rows does not change."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAETransformer
from skvae._plan import planned
from skvae.likelihoods._zero_inflated import _without_zeros
from skvae.table import Dense, arranged, checked
from skvae.table._arranged import _keys

RNG = np.random.default_rng(0)
N = 120
WEIGHT = RNG.integers(0, 4, N)
TABLE = (
    pd.DataFrame(
        {
            "x": RNG.normal(size=N).round(2),
            "k": RNG.choice(list("abc"), N),
            "n": RNG.integers(-3, 4, N),
            "t": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 50, N), unit="D"),
        }
    )
    .mask(RNG.random((N, 4)) < 0.1)
    .convert_dtypes()
)
KINDS = {
    "pandas": TABLE,
    "polars": pl.from_pandas(TABLE),
    "pyarrow": pa.Table.from_pandas(TABLE),
    "array": TABLE[["x", "n"]].to_numpy(float, na_value=np.nan),
    "integers": RNG.integers(-3, 4, (N, 2)),
    "sparse": csr_array(RNG.poisson(0.3, (N, 4)).astype(float)),
    "mixed": pd.DataFrame({"m": [1, "1", "b", 2.5] * (N // 4)}, dtype=object),
}


def small(**parameters):
    fixed = {"hidden_layer_sizes": 8, "random_state": 0, "max_iter": 3}
    return VAETransformer(2, **fixed | parameters)


def rows_of(X, places):
    if isinstance(X, pd.DataFrame):
        return X.iloc[places]
    return X.take(places) if isinstance(X, pa.Table) else X[places]


def counts(weight, X=None, seed=0):
    """How often each row comes."""
    X = np.arange(len(weight))[:, None] if X is None else X
    rows = arranged(
        checked(small(), X, reset=True), np.asarray(weight), np.random.default_rng(seed)
    )
    return np.bincount(rows.places, minlength=len(weight))


@pytest.mark.parametrize("X", KINDS.values(), ids=KINDS)
def test_a_weight_is_as_good_as_repeated_rows_in_any_order(X):
    repeated = small().fit(rows_of(X, np.repeat(np.arange(N), WEIGHT)))
    order = RNG.permutation(N)
    weighted = small().fit(rows_of(X, order), sample_weight=WEIGHT[order])
    np.testing.assert_array_equal(weighted.transform(X), repeated.transform(X))
    assert weighted.lower_bound_ == repeated.lower_bound_
    assert weighted.history_["validation_loss"].tolist() == (
        repeated.history_["validation_loss"].tolist()
    )


@pytest.mark.parametrize(
    "parameters",
    [pytest.param({"autoregressive": True}, marks=pytest.mark.slow), {"init": "pca"}],
    ids=str,
)
def test_so_it_is_in_second_stages_and_embeddings(parameters, short_start):
    X = TABLE[["x", "n"]]
    repeated = small(**parameters).fit(X.iloc[np.repeat(np.arange(N), WEIGHT)])
    weighted = small(**parameters).fit(X, sample_weight=WEIGHT)
    np.testing.assert_array_equal(weighted.score_samples(X), repeated.score_samples(X))


def test_pieces_may_weigh_too():
    repeated = small().partial_fit(TABLE.iloc[np.repeat(np.arange(N), WEIGHT)])
    weighted = small().partial_fit(TABLE, sample_weight=WEIGHT)
    for vae in (repeated, weighted):
        vae.partial_fit(TABLE, sample_weight=np.ones(N))
    np.testing.assert_array_equal(weighted.transform(TABLE), repeated.transform(TABLE))
    later = small().partial_fit(TABLE, sample_weight=WEIGHT, schema=TABLE)
    assert later._codec.features[0].n_observed == TABLE["x"].notna().sum()


def test_rows_that_weigh_nothing_are_left_out_with_all_that_only_they_have():
    odd = pd.DataFrame({"x": [99.0], "k": ["z"], "n": [9], "t": [pd.Timestamp("1999-01-01")]})
    X = pd.concat([TABLE, odd], ignore_index=True)
    vae = small().fit(X, sample_weight=[*WEIGHT, 0])
    without = small().fit(TABLE, sample_weight=WEIGHT)
    np.testing.assert_array_equal(vae.transform(TABLE), without.transform(TABLE))
    assert "z" not in set(vae.sample(300, random_state=0)["k"])


def test_whole_weights_and_times_of_the_smallest_say_how_often_rows_come():
    assert counts([2, 0, 1, 3]).tolist() == [2, 0, 1, 3]
    assert counts(np.array([0.2, 0.0, 0.1, 0.3])).tolist() == [2, 0, 1, 3]
    assert counts(np.full(7, 1 / 7)).tolist() == [1] * 7
    assert counts([0.01, *[1.0] * 99]).sum() == 200  # no 9,901


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e200, 1e307])
def test_other_weights_are_shares_that_counts_have_in_the_mean(scale):
    weight = np.append(RNG.gamma(1.0, size=49), 0.0)
    drawn = np.mean([counts(weight * scale, seed=seed) for seed in range(2000)], axis=0)
    np.testing.assert_allclose(drawn, weight * 98 / weight.sum(), atol=0.06)
    assert drawn[-1] == 0


def test_large_whole_weights_are_shares_too():
    weight = RNG.integers(10**6, 10**9, 50)
    assert abs(counts(weight) - weight * 100 / weight.sum()).max() < 1


def test_labels_are_told_apart_by_kind_and_zeros_are_not_by_sign():
    labels = pd.DataFrame({"m": [1, "1", "b", "b\0", "b\0c", 2, None]}, dtype=object)
    assert len(set(_keys(checked(small(), labels, reset=True)))) == len(labels)
    assert len(set(_keys(checked(small(), [[0.0], [-0.0], [1.0]], reset=True)))) == 2


def test_what_comes_twice_for_its_share_is_held_out_together():
    X, weight = np.arange(100.0)[:, None], RNG.random(100) + 1.5
    data = planned(small(validation_fraction=0.2), X, weights=(weight, None)).data
    assert len(data.held_rows) == 40
    rows = [set(np.round(cells[:][:, 0], 5).tolist()) for cells in data.rows[1:]]
    assert len(rows[0] & rows[1]) <= 1  # the last one may be cut
    assert len(set(data.held_rows)) == len(rows[1]) <= 25


@pytest.mark.parametrize("others", [0.5, 0.53, np.arange(99) % 3 + 1.01])
def test_weights_that_are_shares_do_not_stand_for_rows_that_min_count_asks_for(others):
    X = pd.DataFrame({"x": RNG.normal(size=100), "k": ["rare", *["c", "d", "e"] * 33]})
    weight = np.append(0.1, np.broadcast_to(others, 99))
    vae = small(min_count=5).fit(X, sample_weight=weight)
    assert vae._codec.features[1].format.levels == ("c", "d", "e")
    low, high = vae._codec.features[0].placement.ends
    assert X["x"].min() < low < high < X["x"].max()


def test_labels_of_rows_that_weigh_little_are_known():
    X = pd.DataFrame({"k": [f"a{i}" for i in range(60)], "x": RNG.normal(size=60)})
    vae = small(likelihood={"k": "categorical"}).fit(X, sample_weight=RNG.gamma(0.3, size=60))
    vae.transform(X)  # would warn
    assert vae.sample(given={"k": "a7"})["k"].tolist() == ["a7"]


def test_the_mean_of_a_weighted_model_is_that_of_weighted_rows():
    x = RNG.normal([0.0, 1.0], size=(400, 2))
    x[:, 1] += x[:, 0]
    weight = np.exp(x[:, 0])  # moves the mean of the first by 1
    vae = small(max_iter=60, likelihood="gaussian").fit(x, sample_weight=weight)
    mean = np.average(x, axis=0, weights=weight)
    spread = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))
    drawn = vae.sample(4000, random_state=0)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.25)
    np.testing.assert_allclose(drawn.std(axis=0), spread, atol=0.25)


def test_a_score_is_a_mean_of_rows_that_weigh():
    vae = small().fit(TABLE)
    scores = vae.score_samples(TABLE)
    assert vae.score(TABLE, sample_weight=WEIGHT) == pytest.approx(
        np.average(scores, weights=WEIGHT)
    )
    rows = TABLE.copy()
    rows.loc[0, "x"] = 1e30  # a row that is impossible
    weight = np.append(0.0, np.ones(N - 1))
    assert vae.score(rows, sample_weight=weight) == pytest.approx(scores[1:].mean())


def test_rows_of_ones_own_that_judge_may_weigh():
    early, late = TABLE[:80], TABLE[80:]
    weight = WEIGHT[80:]
    repeated = small().fit(early, X_val=late.iloc[np.repeat(np.arange(40), weight)])
    weighted = small().fit(early, X_val=late, sample_weight_val=weight)
    np.testing.assert_array_equal(
        weighted.history_["validation_loss"], repeated.history_["validation_loss"]
    )


def test_weights_are_routed_through_searches_and_pipelines():
    X, weight = RNG.normal(size=(60, 2)), RNG.integers(0, 3, 60)
    with config_context(enable_metadata_routing=True):
        vae = small().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        search = GridSearchCV(make_pipeline(scaler, vae), {"vaetransformer__latent_dim": [1]}, cv=2)
        search.fit(X, sample_weight=weight)
        direct = make_pipeline(scaler, vae).set_params(vaetransformer__latent_dim=1)
        direct.fit(X, sample_weight=weight)
    np.testing.assert_array_equal(search.transform(X), direct.transform(X))


@pytest.mark.parametrize("weight", [None, RNG.gamma(1.0, size=N)], ids=["none", "shares"])
def test_the_order_of_rows_makes_no_difference(weight):
    order = RNG.permutation(N)
    shuffled = small().fit(
        TABLE.iloc[order], sample_weight=weight if weight is None else weight[order]
    )
    np.testing.assert_array_equal(
        shuffled.transform(TABLE), small().fit(TABLE, sample_weight=weight).transform(TABLE)
    )


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), "expected"),
        (np.full(N, -1.0), "Negative values"),
        (np.zeros(N), "zero|0 for each row"),
        (np.full(N, np.nan), "NaN"),
        (np.full(N, np.inf), "infinity"),
    ],
)
def test_wrong_weights_are_refused(weight, message):
    vae = small().fit(TABLE)
    for use in (vae.fit, vae.partial_fit, vae.score):
        with pytest.raises(ValueError, match=message):
            use(TABLE, sample_weight=weight)


def test_weights_of_no_rows_are_refused():
    with pytest.raises(ValueError, match="sample_weight_val has weights, but there are no rows"):
        small().fit(TABLE, sample_weight_val=WEIGHT)


def test_errors_tell_of_rows_of_the_table_that_weigh():
    X = np.ones((20, 1)) * np.arange(20)[:, None]
    X[13], X[0] = 0.5, -7.5
    for weight in (np.arange(20), np.arange(20) * 1e-3 + (np.arange(20) > 0)):
        with pytest.raises(ValueError, match=r"row 13"):
            small(likelihood="poisson").fit(X, sample_weight=weight)


def test_what_weighs_nothing_raises_no_doubts():
    X = np.append(RNG.normal(size=200), 1e9)[:, None]
    X = pd.DataFrame(X, columns=["x"])
    small().fit(X, sample_weight=np.append(np.ones(200), 0))


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e307])
def test_a_score_takes_weights_of_any_size(scale):
    vae = small().fit(TABLE)
    assert vae.score(TABLE, sample_weight=np.full(N, scale)) == pytest.approx(vae.score(TABLE))


def test_what_lies_under_a_mask_makes_no_difference():
    X, mask = RNG.integers(0, 9, (60, 2)), RNG.random((60, 2)) < 0.2
    one, other = (np.ma.masked_array(np.where(mask, under, X), mask) for under in (0, 77))
    np.testing.assert_array_equal(small().fit(one).transform(X), small().fit(other).transform(X))


@pytest.mark.parametrize("kind", [">f8", ">i4"])
def test_frames_of_the_other_byte_order_are_learned(kind):
    X = pd.DataFrame({"b": RNG.integers(0, 99, 50).astype(kind)})
    assert small().fit(X).sample(2, random_state=0)["b"].dtype == kind


def test_what_stands_for_holes_has_the_distribution_of_its_column_though_rows_are_in_order():
    x = np.sort(RNG.normal(size=1000))
    holed = np.where(RNG.random(1000) < 0.4, np.nan, x)[:, None].astype(np.float32)
    filled = Dense.of([(slice(None), holed)], holed.shape).filled()[:]
    shares = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(
        np.quantile(filled, shares), np.nanquantile(holed, shares), atol=0.03
    )
    counts = np.where(RNG.random(1000) < 0.4, 0.0, np.arange(1000))[:, None]
    assert np.mean(_without_zeros(counts, 1.0)) == pytest.approx(
        counts[counts > 0].mean(), rel=0.01
    )


@pytest.mark.parametrize("names", [["k", "x"], ["x", "k"]])
def test_shares_of_labels_with_holes_are_those_seen_wherever_their_column_is(names):
    rng = np.random.default_rng(0)
    k = np.where(rng.random(2000) < 0.4, None, rng.choice(["a", "b"], 2000, p=[0.7, 0.3]))
    table = pd.DataFrame({"k": k, "x": rng.normal(size=2000)})
    vae = VAETransformer(1, hidden_layer_sizes=(), max_iter=1, learning_rate=1e-6, random_state=0)
    rows = vae.fit(table[names]).sample(20_000, random_state=0)
    shares = table["k"].value_counts(normalize=True)
    assert (rows["k"] == "a").mean() == pytest.approx(shares["a"], abs=0.015)
