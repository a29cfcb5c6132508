"""Tables of dask, whose partitions are gone through side by side."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.model_selection import GridSearchCV

from skvae import Blocks, VAEImputer, VAEOutlierDetector, VAETransformer

array = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask.dataframe")
pytestmark = pytest.mark.filterwarnings("error")

RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "a": np.where(RNG.random(200) < 0.1, np.nan, RNG.normal(size=200)),
        "b": RNG.choice(["x", "y"], 200),
        "c": pd.Timestamp("2026-01-01") + pd.to_timedelta(RNG.integers(100, size=200), "D"),
    },
    index=pd.date_range("2020-01-01", periods=200, name="day"),
)
GIVES = "transform", "impute", "score_samples", "score_cells"


@pytest.fixture(scope="module")
def fitted():
    vae = VAETransformer(2, hidden_layer_sizes=8, max_iter=8, early_stopping=False, random_state=0)
    with warnings.catch_warnings(action="ignore"):
        return vae.fit(X)


@pytest.fixture(params=["default", "pandas"])
def vae(fitted, request):
    yield fitted.set_output(transform=request.param)
    fitted.set_output(transform="default")


@pytest.fixture
def parts():
    return dask.from_pandas(X, npartitions=3)


def test_a_fit_of_partitions_is_that_of_the_table(fitted, parts):
    again = VAETransformer(**fitted.get_params()).fit(Blocks.of_dask(parts))
    np.testing.assert_array_equal(again._model.weights, fitted._model.weights)


def test_a_column_may_have_any_name():
    named = pd.DataFrame({"blocks": [1, 2], "partition": [3, 4]})
    (block,) = Blocks.of_dask(dask.from_pandas(named, npartitions=1))
    pd.testing.assert_frame_equal(block, named)


def test_a_fit_of_an_array_of_dask_is_that_of_the_array():
    rows = RNG.normal(size=(100, 2))
    parts = array.from_array(rows, chunks=(30, 2))
    small = VAETransformer(
        1, hidden_layer_sizes=4, max_iter=8, early_stopping=False, random_state=0
    )
    codes = [
        VAETransformer(**small.get_params()).fit(of).transform(rows)
        for of in (rows, Blocks.of_dask(parts))
    ]
    np.testing.assert_array_equal(*codes)


@pytest.mark.parametrize("method", GIVES)
def test_each_method_gives_a_collection_that_knows_what_it_will_be(vae, parts, method):
    lazy, whole = getattr(vae, method)(parts), getattr(vae, method)(X)
    found = lazy.compute()
    assert type(found) is type(whole)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(whole))
    if isinstance(whole, np.ndarray):
        assert lazy.dtype == whole.dtype
    else:
        assert found.index.equals(whole.index)
        assert lazy._meta.index.name == "day"
        assert lazy._meta.index.dtype == whole.index.dtype
        assert type(lazy._meta) is type(whole)
        pd.testing.assert_frame_equal(*map(pd.DataFrame, (lazy._meta[:0], found[:0])))


def test_a_collection_is_that_of_the_model_at_the_call(parts):
    small = VAETransformer(2, hidden_layer_sizes=8, max_iter=8, early_stopping=False)
    with warnings.catch_warnings(action="ignore"):
        small.fit(X)
        lazy, codes = small.transform(parts), small.transform(X)
        small.fit(X)
    np.testing.assert_array_equal(lazy.compute(), codes)


def test_partitions_are_of_pandas_whatever_the_model_was_fitted_to(fitted, parts):
    fitted.set_output(transform="polars")
    codes = fitted.transform(parts).compute()
    fitted.set_output(transform="default")
    np.testing.assert_array_equal(codes, fitted.transform(X))
    assert codes.index.equals(X.index)
    small = VAETransformer(
        1, hidden_layer_sizes=4, max_iter=2, early_stopping=False, random_state=0
    )
    of_arrow = small.fit(pa.Table.from_pandas(X, preserve_index=False))
    pd.testing.assert_frame_equal(
        of_arrow.impute(parts).compute(), of_arrow.impute(X).to_pandas().set_axis(X.index)
    )


def test_several_tables_are_no_collection(fitted, parts):
    with pytest.raises(ValueError, match=r"no collection of dask; .*partitions\[0\]\.compute"):
        fitted.impute(parts, draw=True, n_imputations=2)


def test_an_imputer_and_a_detector_take_partitions(fitted, parts):
    small = VAETransformer(1, hidden_layer_sizes=4, max_iter=2, early_stopping=False)
    settings = {"vae": small, "random_state": 0}
    imputer = VAEImputer(**settings).fit(X).set_output(transform="pandas")
    lazy = imputer.transform(parts)
    pd.testing.assert_frame_equal(lazy.compute(), imputer.transform(X))
    assert lazy._meta.dtypes.equals(X.dtypes)
    detector = VAEOutlierDetector(**settings).fit(X)
    np.testing.assert_array_equal(detector.predict(parts).compute(), detector.predict(X))


def test_partitions_without_rows_are_none(fitted, parts):
    assert fitted.transform(parts[parts["a"] > 1.5]).compute().shape == ((X["a"] > 1.5).sum(), 2)


def test_draws_of_partitions_differ_and_come_again(fitted, parts):
    twice = dask.concat([parts.partitions[0]] * 2)
    draws = [fitted.posterior_predictive(twice, random_state=1).compute() for _ in range(2)]
    pd.testing.assert_frame_equal(*draws)
    half = len(draws[0]) // 2
    assert (draws[0]["a"][:half].to_numpy() != draws[0]["a"][half:].to_numpy()).all()


def test_rows_are_drawn_in_partitions(fitted):
    drawn = dask.from_map(
        lambda seed: fitted.sample(50, random_state=seed), range(3), meta=fitted.sample(1)[:0]
    )
    assert len(drawn.compute()) == 150
    assert drawn[["a", "c"]].dtypes.equals(X[["a", "c"]].dtypes)


@pytest.mark.parametrize("given", [lambda parts: parts, lambda parts: array.ones((9, 3))])
def test_a_fit_says_how_dask_is_taken(parts, given):
    with pytest.raises(ValueError, match=r"let skvae\.Blocks\.of_dask\(X\) go through it"):
        VAETransformer().fit(given(parts))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_search_runs_on_workers_of_dask():
    from dask.distributed import Client, LocalCluster

    rows = RNG.normal(size=(200, 3))
    small = VAETransformer(1, hidden_layer_sizes=4, max_iter=3, early_stopping=False)
    search = GridSearchCV(small.set_params(random_state=0), {"latent_dim": [1, 2]}, cv=2)
    here = search.fit(rows).cv_results_["mean_test_score"]
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        there = search.fit(rows).cv_results_["mean_test_score"]
    np.testing.assert_allclose(here, there, atol=0.05)
