"""Missing cells: in fit, in every method, and filled."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_iris

from skvae import VAETransformer
from skvae.likelihoods import Gaussian, ZeroInflated

IRIS = load_iris().data
RNG = np.random.default_rng(0)
N = 400
JOBS = np.array(["clerk", "smith", "judge"])


def people(n=N, seed=0):
    """Income follows the job, and the flag follows both."""
    rng = np.random.default_rng(seed)
    job = rng.integers(0, 3, n)
    income = 10.0 * job + rng.normal(size=n)
    return pd.DataFrame(
        {"job": JOBS[job], "income": income, "rich": income > 15, "age": rng.integers(20, 60, n)}
    )


def small(**parameters):
    return VAETransformer(
        **{"max_iter": 40, "hidden_layer_sizes": 32, "random_state": 0, **parameters}
    )


def with_holes(X, share=0.3, seed=0):
    holes = np.random.default_rng(seed).random(X.shape) < share
    if isinstance(X, np.ndarray):
        return np.where(holes, np.nan, X)
    return X.astype({"rich": "boolean", "age": "Int64"}).mask(holes)


def linear_gaussian(latent_dim=2):
    """A fitted linear model, and the exact mean and covariance of its rows."""
    X = RNG.normal(size=(500, 2)) @ RNG.normal(size=(2, 5)) + 0.5 * RNG.normal(size=(500, 5)) + 3
    vae = VAETransformer(
        2, hidden_layer_sizes=(), likelihood=Gaussian("shared"), learning_rate=0.02, max_iter=40
    )
    vae.set_params(random_state=0).fit(X)
    kernel, bias = vae._model.learned()["decoder"][0]
    log_scale = vae._model.learned()["likelihood"]["0"]["log_scale"].astype(float)
    noise = np.exp(10 * np.tanh(log_scale / 10)) + 1e-3
    center, scale = X.mean(axis=0), X.std(axis=0)
    covariance = (kernel.T @ kernel + noise**2 * np.eye(5)) * np.outer(scale, scale)
    return vae, X, center + scale * bias, covariance


@pytest.fixture(scope="module")
def linear():
    return linear_gaussian()


def test_the_score_of_a_row_with_holes_is_the_log_density_of_its_observed_cells(linear):
    vae, X, mean, covariance = linear
    for kept in ([0], [1, 3], [0, 2, 4]):
        rows = np.full((100, 5), np.nan)
        rows[:, kept] = X[:100, kept]
        exact = stats.multivariate_normal(mean[kept], covariance[np.ix_(kept, kept)]).logpdf(
            rows[:, kept]
        )
        scores = vae.score_samples(rows, n_draws=4000)
        assert abs(scores - exact).mean() < 0.03


@pytest.mark.smoke
def test_imputed_cells_are_the_conditional_means(linear):
    vae, X, mean, covariance = linear
    rows = X[:50].copy()
    rows[:, 3:] = np.nan
    kept, lost = [0, 1, 2], [3, 4]
    slope = covariance[np.ix_(lost, kept)] @ np.linalg.inv(covariance[np.ix_(kept, kept)])
    exact = mean[lost] + (rows[:, kept] - mean[kept]) @ slope.T
    filled = vae.impute(rows, n_draws=1000)
    np.testing.assert_allclose(filled[:, lost], exact, atol=0.1 * X.std())
    np.testing.assert_array_equal(filled[:, kept], rows[:, kept])


def test_imputed_draws_vary_as_the_conditional_distribution_does(linear):
    vae, X, _, covariance = linear
    row = np.resize(X[0], (2000, 5)).copy()
    row[:, 3:] = np.nan
    kept, lost = [0, 1, 2], [3, 4]
    slope = covariance[np.ix_(lost, kept)] @ np.linalg.inv(covariance[np.ix_(kept, kept)])
    exact = covariance[np.ix_(lost, lost)] - slope @ covariance[np.ix_(kept, lost)]
    drawn = vae.impute(row, random_state=0, draw=True)
    np.testing.assert_allclose(np.cov(drawn[:, lost].T), exact, atol=0.15 * exact.max())
    np.testing.assert_array_equal(drawn, vae.impute(row, random_state=0, draw=True))


def test_several_imputations_are_as_many_draws_of_the_conditional_distribution(linear):
    vae, X, _, _ = linear
    rows = np.where(np.random.default_rng(1).random((40, 5)) < 0.3, np.nan, X[:40])
    tables = vae.impute(rows, 0, draw=True, n_imputations=60)
    assert len(tables) == 60
    holes = np.isnan(rows)
    drawn = np.stack(tables)
    assert (drawn[:, ~holes] == rows[~holes]).all()
    assert (drawn[:, holes].std(axis=0) > 0).all()
    one_by_one = np.stack([vae.impute(rows, i, draw=True) for i in range(60)])
    error = (drawn[:, holes].var(axis=0) / 30).mean() ** 0.5
    np.testing.assert_allclose(
        drawn[:, holes].mean(0), one_by_one[:, holes].mean(0), atol=5 * error
    )
    np.testing.assert_allclose(
        drawn[:, holes].std(axis=0).mean(), one_by_one[:, holes].std(axis=0).mean(), rtol=0.1
    )
    [once] = vae.impute(rows, 0, draw=True, n_imputations=1)
    np.testing.assert_array_equal(once, vae.impute(rows, 0, draw=True))


def test_quantiles_of_a_filled_cell_are_those_of_its_conditional_distribution(linear):
    vae, X, mean, covariance = linear
    rows = X[:20].copy()
    rows[:, 4] = np.nan
    slope = covariance[4, :4] @ np.linalg.inv(covariance[:4, :4])
    center = mean[4] + (rows[:, :4] - mean[:4]) @ slope
    deviation = (covariance[4, 4] - slope @ covariance[:4, 4]) ** 0.5
    shares = [0.1, 0.5, 0.9]
    tables = vae.impute(rows, 0, quantiles=shares, n_imputations=1000)
    found = np.stack([table[:, 4] for table in tables])
    exact = stats.norm.ppf(np.array(shares)[:, None], center, deviation)
    np.testing.assert_allclose(found, exact, atol=0.4 * deviation)
    assert (np.diff(found, axis=0) > 0).all()
    [median] = vae.impute(rows, 0, quantiles=0.5)
    np.testing.assert_array_equal(median[:, :4], rows[:, :4])


@pytest.mark.parametrize("autoregressive", [False, True])
def test_imputations_are_draws_of_their_own(autoregressive):
    X = np.random.default_rng(0).normal(size=(200, 3))
    vae = small(max_iter=2, autoregressive=autoregressive).fit(X)
    rows = X[:6].copy()
    rows[:, 1] = np.nan
    tables = vae.impute(rows, 0, draw=True, n_imputations=30)
    assert min(len({table[i, 1] for table in tables}) for i in range(6)) >= 28


def test_means_leave_the_random_state_alone(linear):
    vae, X, *_ = linear
    state, untouched = np.random.RandomState(0), np.random.RandomState(0)
    vae.impute(np.where(np.eye(5, dtype=bool)[:, : X.shape[1]], np.nan, X[:5]), state)
    assert state.random_sample() == untouched.random_sample()


@pytest.mark.parametrize("autoregressive", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_quantiles_are_values_of_their_columns(autoregressive):
    X = people().assign(size=pd.cut(people()["income"], [-9, 5, 15, 40], labels=list("SML")))
    vae = small(max_iter=10, autoregressive=autoregressive).fit(X)
    rows = X.head(12).astype({"rich": "boolean", "age": "Int64"})
    rows = rows.mask(np.random.default_rng(2).random(rows.shape) < 0.3)
    low, high = vae.impute(rows, 0, quantiles=[0.05, 0.95], n_imputations=40)
    assert low.dtypes.equals(X.dtypes)
    assert not pd.concat([low, high]).isna().any(axis=None)
    for name in ("income", "age", "rich", "size"):
        assert (low[name] <= high[name]).all()
    assert (low["job"] == high["job"]).all()
    tables = vae.impute(rows, 0, draw=True, n_imputations=30)
    assert len(tables) == 30
    kept = rows["age"].notna()
    for table in tables:
        assert (table["age"][kept] == rows["age"][kept]).all()
        assert table["age"].between(20, 59).all()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n_imputations": 3}, "n_imputations=3 asks for draws.*set draw=True"),
        ({"draw": True, "n_imputations": 0}, "n_imputations=0.*at least 1"),
        ({"draw": True, "quantiles": 0.5}, "draw=True.*give one"),
        ({"quantiles": [0.5, 1.5]}, "numbers from 0 to 1"),
        ({"quantiles": []}, "numbers from 0 to 1"),
        ({"quantiles": "median"}, "numbers from 0 to 1"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_told(linear, asked, message):
    vae, X, *_ = linear
    with pytest.raises(ValueError, match=message):
        vae.impute(X[:2], **asked)


@pytest.mark.parametrize(("hide", "max_iter"), [(0.0, 40), (0.3, 100)])
def test_labels_and_numbers_are_filled_from_the_rest_of_their_row(hide, max_iter):
    X = people()
    vae = small(hide=hide, max_iter=max_iter).fit(X)
    rows = people(200, seed=1)
    for name, score in [("job", 0.93), ("rich", 0.9)]:
        filled = vae.impute(rows.assign(**{name: None}))
        assert (filled[name] == rows[name]).mean() > score
    filled = vae.impute(rows.assign(income=np.nan))
    assert np.corrcoef(filled["income"], rows["income"])[0, 1] > 0.94


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_a_table_with_holes_is_learned_from_its_observed_cells(share):
    X = people(1500)
    vae = small(max_iter=100).fit(with_holes(X, share))
    drawn = vae.sample(2000, random_state=0)
    assert not drawn.isna().to_numpy().any()
    by_job = drawn.groupby("job")["income"].mean()
    assert by_job["smith"] - by_job["clerk"] == pytest.approx(10, abs=4)
    assert np.isfinite(vae.score_samples(with_holes(X, share))).all()


def test_nothing_depends_on_what_holes_are_filled_with_inside():
    X = with_holes(people(), 0.3)
    vae = small(max_iter=3).fit(X)
    before = vae.score_samples(X), vae.transform(X), vae.impute(X)
    n_cells = X.shape[1]
    constants = vae._model.constants.copy()
    w = vae._model.learned()["cells"]
    found = [
        i for i in range(len(constants)) if np.array_equal(constants[i : i + n_cells], w["filler"])
    ]
    constants[found[0] : found[0] + n_cells] = [1, 0, 2, 1]
    vae._model = vae._model._replace(constants=constants)
    np.testing.assert_array_equal(vae.score_samples(X), before[0])
    np.testing.assert_array_equal(vae.transform(X), before[1])
    pd.testing.assert_frame_equal(vae.impute(X), before[2])


def test_history_with_hidden_cells_is_in_the_units_of_the_table():
    shown = [
        small(hide=0.5, max_iter=5).fit(IRIS * scale).history_["log_likelihood"][-1]
        for scale in (1, 1000)
    ]
    assert shown[0] - shown[1] == pytest.approx(0.5 * 4 * np.log(1000), abs=0.5)


def test_an_empty_column_leaves_complete_rows_complete():
    X = np.column_stack([IRIS, np.full(len(IRIS), np.nan)])
    vae = small(max_iter=3).fit(X)
    assert _refinements(lambda: vae.score_samples(X)) == 0
    assert _refinements(lambda: vae.score_samples(with_holes(X))) == 1


def _refinements(use):
    from unittest.mock import patch

    from skvae.inference import _proposals

    with patch.object(_proposals, "refine", side_effect=_proposals.refine) as refine:
        use()
    return refine.call_count


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
def test_observed_cells_of_an_array_are_unchanged_whatever_fit_saw(dtype):
    vae = small(max_iter=2).fit(IRIS[:, :2].astype(dtype))
    rows = np.array([[5.1, np.nan], [-7.25, 3.0], [300.0, 1e-9]])
    filled = vae.impute(rows)
    np.testing.assert_array_equal(filled[~np.isnan(rows)], rows[~np.isnan(rows)])
    assert not np.isnan(filled).any()
    whole = np.array([[2**60 + 1, 3]])
    np.testing.assert_array_equal(
        small(max_iter=2).fit(IRIS[:, :2].astype(int)).impute(whole), whole
    )


def test_zeros_keep_their_probability_in_any_units():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((600, 1)) < 0.5, 0.0, rng.lognormal(size=(600, 1)))
    first, second = (
        VAETransformer(1, likelihood=ZeroInflated("lognormal"), max_iter=20, random_state=0).fit(
            X * scale
        )
        for scale in (1.0, 1000.0)
    )
    at_zero = first.score([[0.0]])
    assert np.exp(at_zero) == pytest.approx((X == 0).mean(), abs=0.06)
    assert second.score([[0.0]]) == pytest.approx(at_zero, abs=0.02)
    assert first.score(X[X[:, 0] > 0]) - second.score(1000 * X[X[:, 0] > 0]) == pytest.approx(
        np.log(1000), abs=0.02
    )
    points = np.geomspace(1e-4, 1e4, 4000)
    density = np.exp(first.score_samples(points[:, None], n_draws=64))
    assert np.exp(at_zero) + np.trapezoid(density, points) == pytest.approx(1, abs=0.02)


@pytest.mark.filterwarnings("ignore:Columns that may want another look")  # as it is meant to
@pytest.mark.slow
def test_a_typing_error_moves_no_filled_or_restored_cell():
    rng, n = np.random.default_rng(0), 600
    z = rng.normal(size=n)
    clean = pd.DataFrame(
        {
            "age": (45 + 12 * z + 5 * rng.normal(size=n)).round().clip(18, 99).astype(int),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta((90 * (z + 4)).round(), "D"),
            "other": z,
        }
    )
    wrong = clean.copy()
    wrong.loc[3, "age"], wrong.loc[5, "day"] = 99_999_999_999, pd.Timestamp("2199-12-31")
    errors = []
    for table in (clean, wrong):
        vae = VAETransformer(2, max_iter=25, random_state=0).fit(table)
        holed = clean[100:].astype({"age": "Int64"})
        holed.iloc[::2, 0], holed.iloc[1::2, 1] = pd.NA, pd.NaT
        filled = vae.impute(holed)
        restored = vae.inverse_transform(vae.transform(table))
        for column, unit in (("age", 1), ("day", pd.Timedelta("1D"))):
            hidden = holed[column].isna()
            off = (filled[column][hidden] - clean[column][100:][hidden]) / unit
            errors.append(off.astype(float).abs().mean())
            rest = (restored[column] - clean[column]) / unit
            errors.append(rest.astype(float).abs().max())
    np.testing.assert_array_less(errors[4:], 1.5 * np.array(errors[:4]) + 1)


def test_rows_without_any_cell_score_zero_and_are_filled_with_what_is_typical():
    vae = small().fit(with_holes(IRIS))
    empty = np.full((1, 4), np.nan)
    assert vae.score_samples(empty)[0] == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(vae.impute(empty)[0], IRIS.mean(axis=0), atol=0.8)
    assert np.isfinite(vae.transform(empty)).all()


def test_a_column_without_any_cell_stays_empty_and_costs_nothing():
    X = np.column_stack([IRIS, np.full(len(IRIS), np.nan)])
    vae = small().fit(X)
    assert np.isfinite(vae.score(X))
    assert np.isnan(vae.sample(5)[:, 4]).all()
    assert np.isnan(vae.impute(X)[:, 4]).all()
    frame = pd.DataFrame({"a": IRIS[:, 0], "b": pd.Series([None] * 150, dtype="str")})
    assert small().fit(frame).sample(3)["b"].isna().all()


def test_the_score_of_complete_rows_is_hardly_lower_after_training_with_hidden_cells():
    plain, hiding = (small(hide=hide, max_iter=100).fit(IRIS).score(IRIS) for hide in (0.0, 0.3))
    assert hiding > plain - 1.0


def test_hidden_cells_are_the_share_asked_for_and_differ_between_rows():
    from skvae.engine._random import with_holes as hidden_at_random

    for share in (0.1, 0.5, 0.8):
        x = np.ones((1, 3000, 20), np.float32)
        holes = np.isnan(hidden_at_random(x, share, np.array([[1, 2], [3, 4]], np.int32)).numpy())[
            0
        ]
        assert holes.mean() == pytest.approx(share, abs=0.01)
        assert (
            holes.mean(axis=1).std() > 1.08 * (share * (1 - share) / 20) ** 0.5
        )  # more than a coin per cell


def test_a_row_with_holes_gives_the_same_bits_alone_or_among_others():
    vae = small().fit(IRIS)
    X = with_holes(IRIS)
    order = np.random.default_rng(1).permutation(len(X))
    for give in (vae.transform, vae.score_samples, vae.impute):
        together = give(X)
        np.testing.assert_array_equal(give(X[order]), together[order])
        np.testing.assert_array_equal(
            np.concatenate([give(X[i : i + 1]) for i in range(20)]), together[:20]
        )


def test_levels_that_fit_never_saw_are_holes_with_one_warning_and_have_a_small_finite_score():
    X = people()
    vae = small().fit(X)
    rows = people(5, seed=2)
    new = rows.assign(job=["astronaut", *rows["job"][1:]])
    with pytest.warns(
        UserWarning, match="Levels that were not seen in fit.*'astronaut' in column 'job'"
    ) as caught:
        codes = vae.transform(new)
    assert len(caught) == 1
    np.testing.assert_array_equal(codes, vae.transform(new.assign(job=[None, *rows["job"][1:]])))
    with pytest.warns(UserWarning, match="astronaut"):
        assert vae.impute(new)["job"][0] in set(JOBS)
    gap = vae.score_samples(new)[0] - vae.score_samples(new.assign(job=None))[0]
    assert gap == pytest.approx(-np.log(N + 1), abs=1e-6)
    assert "astronaut" not in set(vae.sample(1000)["job"])


def test_five_folds_of_a_mixed_table_have_finite_scores_and_trace_once():
    from sklearn.model_selection import KFold, cross_val_score

    from skvae.engine import _program, _training

    X = with_holes(people(300), 0.1)
    X.loc[7, "job"] = "hermit"  # a level of one row: one fold does not see it
    vae = small(max_iter=5)
    vae.fit(X).score(X)
    before = _training.trainer.cache_info().misses, _program.compiled.cache_info().misses
    assert np.isfinite(cross_val_score(vae, X, cv=KFold(5))).all()
    assert (_training.trainer.cache_info().misses, _program.compiled.cache_info().misses) == before


@pytest.mark.slow
def test_thousands_of_levels_cost_little():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"id": rng.integers(0, 5000, 20_000).astype(str), "x": rng.normal(size=20_000)}
    )
    vae = small(max_iter=1, batch_size=500, likelihood={"id": "categorical"}).fit(X)
    assert vae.sample(1000)["id"].nunique() > 500
    assert np.isfinite(vae.score(X[:100]))


def test_the_index_comes_back():
    X = people(60).set_index(np.arange(60) + 500)
    vae = small(max_iter=2).set_output(transform="pandas").fit(X)
    for back in (vae.transform(X), vae.impute(with_holes(X)), vae.score_samples(X)):
        assert back.index.equals(X.index)


@pytest.mark.parametrize("hide", [-0.1, 1.0])
def test_a_bad_share_of_hidden_cells_is_refused(hide):
    with pytest.raises(ValueError, match="The 'hide' parameter"):
        small(hide=hide).fit(IRIS)
