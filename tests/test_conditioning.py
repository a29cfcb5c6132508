"""Draws given some cells: the condition is met exactly, and the rest follows it."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.pipeline import make_pipeline

from skvae import VAEImputer, VAETransformer
from skvae.inference import _condition
from skvae.inference._prior import log_prior
from skvae.likelihoods import Gaussian
from skvae.table import conditions

N = 600


def people(n=N):
    rng = np.random.default_rng(0)
    job = rng.integers(0, 3, n)
    income = 10 * job + rng.integers(0, 5, n)
    frame = pd.DataFrame({"job": np.array(["clerk", "smith", "judge"])[job], "income": income})
    when = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        job * 100 + rng.integers(0, 50, n), unit="D"
    )
    return frame.assign(height=rng.normal(size=n) + job, when=when, rich=income > 12, one=1)


@pytest.fixture(scope="module")
def vae():
    return VAETransformer(4, max_iter=60, hidden_layer_sizes=32, random_state=0).fit(people())


@pytest.mark.parametrize(
    "given",
    [
        {"job": "judge"},
        {"income": 21},
        {"height": 2.25},
        {"when": pd.Timestamp("2020-08-01")},
        {"rich": True, "job": "smith"},
        {"job": "clerk", "income": 3, "height": 0.5},
        {"one": 1},
        {},
    ],
    ids=str,
)
def test_the_condition_is_met_exactly_by_as_many_rows_as_were_asked_for(vae, given):
    drawn = vae.sample(300, random_state=0, given=given)
    assert list(drawn.index) == list(range(300))
    assert dict(drawn.dtypes) == dict(people().dtypes)
    for name, value in given.items():
        assert (drawn[name] == value).all()


def test_the_other_columns_follow_the_condition(vae):
    drawn = vae.sample(500, random_state=0, given={"job": "judge"})
    assert drawn["income"].between(20, 24).mean() > 0.6  # a third by chance
    assert drawn["rich"].mean() > 0.6
    drawn = vae.sample(500, random_state=0, given={"income": 2})
    assert (drawn["job"] == "clerk").mean() > 0.6


def test_the_same_seed_gives_the_same_rows(vae):
    first, second = (vae.sample(50, random_state=3, given={"job": "judge"}) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(vae.sample(50, given={"job": "judge"}))


def test_a_frame_of_conditions_gives_rows_for_each(vae):
    given = pd.DataFrame(
        {"job": ["judge", None, "clerk"], "income": [np.nan, 12, np.nan]}, index=[7, 8, 9]
    )
    drawn = vae.sample(20, random_state=0, given=given)
    assert list(drawn.index) == [7, 8, 9] * 20
    assert (drawn.loc[7, "job"] == "judge").all()
    assert (drawn.loc[8, "income"] == 12).all()
    assert (drawn.loc[9, "job"] == "clerk").all()


def test_arrays_and_polars_frames_take_conditions_too():
    X = people()[["income", "height"]]
    for table, given in [
        (X.to_numpy(), {1: 0.5}),
        (X.to_numpy(), [[np.nan, 0.5]]),
        (pl.from_pandas(X), {"height": 0.5}),
    ]:
        drawn = VAETransformer(max_iter=3, random_state=0).fit(table).sample(30, given=given)
        assert type(drawn) is type(table)
        assert (np.asarray(drawn)[:, 1] == 0.5).all()


def test_a_thousand_rows_rest_on_nearly_as_many_latent_points(vae):
    x = conditions(vae._codec, {"job": "judge", "income": 22}).x
    z, size, _ = _condition.points_given(vae._model, x, 1000, np.random.default_rng(0))
    assert len(np.unique(z, axis=0)) >= 900
    assert size >= 1000


def linear_gaussian():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 30)) + 0.3 * rng.normal(size=(2000, 30))
    vae = VAETransformer(
        4,
        hidden_layer_sizes=(),
        likelihood=Gaussian(),
        max_iter=40,
        learning_rate=0.01,
        random_state=0,
    )
    vae.fit(X)
    kernel, bias = vae._model.learned()["decoder"][0]
    log_scale = vae._model.learned()["likelihood"]["0"]["log_scale"].astype(float)
    noise = np.exp(10 * np.tanh(log_scale / 10)) + 1e-3
    center, scale = X.mean(axis=0), X.std(axis=0)
    covariance = (kernel.T.astype(float) @ kernel + np.diag(noise**2)) * np.outer(scale, scale)
    return vae, X, center + scale * bias, covariance


def test_moments_given_1_3_and_10_columns_of_a_linear_model_are_those_in_closed_form():
    vae, X, mean, covariance = linear_gaussian()
    n = 4000
    for given in (1, 3, 10):
        kept, lost = np.arange(given), np.arange(given, 30)
        slope = covariance[np.ix_(lost, kept)] @ np.linalg.inv(covariance[np.ix_(kept, kept)])
        expected = mean[lost] + slope @ (X[7, kept] - mean[kept])
        spread = covariance[np.ix_(lost, lost)] - slope @ covariance[np.ix_(kept, lost)]
        drawn = vae.sample(n, random_state=1, given=dict(enumerate(X[7, kept])))[:, lost]
        errors = (drawn.mean(axis=0) - expected) / np.sqrt(np.diag(spread) / n)
        variances = (spread**2 + np.outer(np.diag(spread), np.diag(spread))) / n
        errors_of_spread = (np.cov(drawn.T) - spread) / np.sqrt(variances)
        assert abs(errors).max() < 4.5  # of dozens, and seeds of training move the model too
        assert (errors_of_spread**2).mean() ** 0.5 < 2.5
        assert abs(errors_of_spread).max() < 6  # of hundreds


def test_the_density_of_a_mixture_is_that_of_its_draws(vae):
    mixture = _condition.Mixture(
        np.log([0.3, 0.7]),
        np.array([[1.0, 0, 0, 0]]),
        np.tril(np.full((1, 4, 4), 0.2)) + 0.5 * np.eye(4),
    )
    z = _condition._draw(vae._model, mixture, 20_000, np.random.default_rng(0))
    log_q, parts = _condition._log_density(vae._model, mixture, z)
    np.testing.assert_allclose(np.exp(log_q), np.exp(parts).sum(axis=1), rtol=1e-6)
    prior = log_prior(vae._model, z)
    assert np.exp(prior - log_q).mean() == pytest.approx(1, abs=0.03)
    assert np.exp(parts[:, 1] - log_q).mean() == pytest.approx(0.7, abs=0.02)


def test_systematic_resampling_takes_each_draw_as_often_as_it_is_due():
    w = np.array([0.5, 0.25, 0.125, 0.125])
    counts = np.bincount(
        _condition._systematic(np.log(w), 80, np.random.default_rng(0)), minlength=4
    )
    assert (abs(counts - 80 * w) < 1).all()


def test_draws_for_a_condition_stay_below_their_limit(monkeypatch):
    vae = VAETransformer(4, likelihood={"height": "gaussian"}, max_iter=5, random_state=0)
    vae.fit(people())
    drawn = []
    joint = _condition.log_joint
    monkeypatch.setattr(
        _condition, "log_joint", lambda model, x, z: drawn.append(len(z)) or joint(model, x, z)
    )
    monkeypatch.setattr(_condition, "MOST", 4 * _condition.BATCH)
    with (
        pytest.warns(UserWarning, match="never saw"),
        pytest.warns(UserWarning, match="The condition is far"),
    ):
        vae.sample(10**4, random_state=0, given={"height": 1e3})
    assert sum(drawn[-3:]) <= 4 * _condition.BATCH


def test_a_hopeless_condition_warns_and_still_gives_its_rows(vae, monkeypatch):
    monkeypatch.setattr(_condition, "MOST", _condition.BATCH)
    monkeypatch.setattr(_condition, "PER_ROW", 10**6)
    monkeypatch.setattr(_condition, "_effective_size", lambda log_w: 7.0)
    with pytest.warns(UserWarning, match="50 rows rest on 7 effective draws of 4096"):
        assert len(vae.sample(50, given={"job": "judge"})) == 50


def test_a_number_outside_of_the_range_of_fit_gets_a_warning(vae):
    with pytest.warns(UserWarning, match="given has 99 in column 'income', which held 0 to 24"):
        drawn = vae.sample(5, given={"income": 99})
    assert (drawn["income"] == 99).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"town": "Rome"},
            "given names column 'town', but fit saw no such column; it saw 'job', 'income'",
        ),
        (
            {"job": "astronaut"},
            "given has 'astronaut' in column 'job', but fit saw only 'clerk', 'judge', 'smith'",
        ),
        ({"job": "Smith"}, "given has 'Smith' in column 'job', but fit saw only 'smith', 'clerk'"),
        ({"income": 2.5}, "given has 2.5 in column 'income', but that column holds whole numbers"),
        (
            {"height": "tall"},
            "given has 'tall' in column 'height', but that column holds finite numbers",
        ),
        ({"rich": 2}, "given has 2 in column 'rich', but that column holds booleans"),
        ({"when": 5}, "given has 5 in column 'when', but that column holds datetimes"),
        ({"one": 8}, "given has 8 in column 'one', but fit saw only 1 there"),
        (
            {"income": np.inf},
            "given has inf in column 'income', but that column holds whole numbers",
        ),
        (
            {"job": ["clerk", "smith"]},
            "given has .* in column 'job', but one value is expected; for several conditions give "
            "a DataFrame",
        ),
        ({"income": slice(1, 3)}, "given has slice.* for a range keep those of many rows"),
        ({"INCOME": 12}, "given names column 'INCOME', .* it saw 'income', 'job'"),
        (7, "given has type int, but a dict"),
    ],
)
def test_bad_conditions_get_one_clear_sentence(vae, given, message):
    with pytest.raises(ValueError, match=message):
        vae.sample(5, given=given)


def short_fit(frame, **parameters):
    return VAETransformer(max_iter=1, hidden_layer_sizes=4, random_state=0, **parameters).fit(frame)


NARROW = pd.DataFrame({"z": np.random.default_rng(0).normal(size=60), "k": np.arange(60) % 9})
TIMES = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(60), unit="D")
FITTED = {
    "int8": NARROW["k"].astype("int8"),
    "uint8": NARROW["k"].astype("uint8"),
    "int64": NARROW["k"],
    "Int16": NARROW["k"].astype("Int16"),
    "uint8[pyarrow]": NARROW["k"].astype("uint8[pyarrow]"),
    "float32": NARROW["z"].astype("float32"),
    "float64": NARROW["z"],
    "bool": NARROW["k"] > 4,
    "category of floats": pd.Series(NARROW["k"].astype(float)).astype("category"),
    "datetime64[s]": pd.Series(TIMES).astype("datetime64[s]"),
    "datetime64[ns]": pd.Series(TIMES).astype("datetime64[ns]"),
    "date32[pyarrow]": pd.Series(TIMES).astype("date32[pyarrow]"),
    "zoned": pd.Series(TIMES.tz_localize("Europe/Vienna")),
    "timedelta64[s]": pd.Series(TIMES - TIMES[0]).astype("timedelta64[s]"),
    "str": pd.Series(["a", "b"] * 30),
}
GIVEN = [
    0,
    3,
    -1,
    300,
    2**53 + 1,
    2**63,
    2**64,
    10**400,
    2.5,
    0.1,
    1e39,
    np.inf,
    True,
    np.True_,
    1j,
    Fraction(1, 2),
]
GIVEN += [np.longdouble(1) / 3]
GIVEN += [
    Decimal("3"),
    Decimal("0.1"),
    "3",
    "2020-01-05",
    "a",
    b"a",
    np.int8(3),
    np.float32(0.1),
    np.float64(0.1),
]
GIVEN += [
    TIMES[4],
    TIMES[4].to_pydatetime(),
    TIMES[4].date(),
    np.datetime64("2020-01-05"),
    datetime(9999, 1, 1),
]
GIVEN += [
    TIMES[4] + pd.Timedelta(1, unit="ms"),
    TIMES[4].as_unit("ns") + pd.Timedelta(1, unit="ns"),
]
GIVEN += [
    TIMES[4].tz_localize("UTC"),
    timedelta(3),
    pd.Timedelta(1, unit="ms"),
    np.timedelta64(1, "D"),
    object(),
    [1],
    {},
]


def is_met(cell, value):
    """Whether a cell that was drawn is the value given."""
    if isinstance(cell, date) and not isinstance(cell, datetime):
        cell = pd.Timestamp(cell)
    if isinstance(value, np.datetime64) or (
        isinstance(value, date) and not isinstance(value, datetime)
    ):
        value = pd.Timestamp(value)
    return bool(cell == value) and isinstance(value, (bool, np.bool_)) <= (cell in (0, 1))


@pytest.mark.filterwarnings("ignore:given has .* never saw:UserWarning")
@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("name", FITTED)
def test_a_condition_is_met_exactly_or_refused(name, library, monkeypatch):
    monkeypatch.setattr(
        _condition,
        "points_given",
        lambda model, x, n, rng: (rng.normal(size=(n, 2)).astype("f4"), 1e9, 1),
    )
    frame = pd.DataFrame({"x": FITTED[name], "z": NARROW["z"]})
    vae, met = short_fit(pl.from_pandas(frame) if library == "polars" else frame), 0
    for value in GIVEN:
        if library == "polars" and getattr(value, "nanosecond", 0):
            continue  # its lists have no nanoseconds to compare
        try:
            drawn = vae.sample(2, random_state=0, given={"x": value})
        except ValueError as error:
            told = str(error)
            assert "olumn 'x'" in told
            assert len(told) < 400
        else:
            met += 1
            assert all(is_met(cell, value) for cell in drawn["x"].to_list()), value
            float_column = "float" in name and name != "category of floats"
            assert float_column or drawn["x"].dtype == vae.sample(1)["x"].dtype
    assert met >= 1


def test_a_frame_without_columns_is_as_many_rows_without_conditions(vae):
    drawn = vae.sample(3, random_state=0, given=pd.DataFrame(index=[7, 8]))
    assert list(drawn.index) == [7, 8] * 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pd.DataFrame({"job": []}), "given is a table without rows"),
        (
            pl.DataFrame({"job": ["judge"]}).lazy(),
            r"given is a LazyFrame of polars, but .*call .collect\(\)",
        ),
        ([[["judge"], 1, 2, 3, 4, 5]], "Column 'job' holds objects of type list"),
    ],
    ids=str,
)
def test_what_is_no_table_of_conditions_is_told(vae, given, message):
    with pytest.raises(ValueError, match=message):
        vae.sample(2, given=given)


def test_conditions_may_come_in_another_library_or_dtype(vae):
    given = {"job": ["judge", None], "income": [None, 12], "rich": [None, True]}
    for table in (
        pl.DataFrame(given),
        pd.DataFrame(given),
        pa.table(given),
        pd.DataFrame(given).astype("category"),
    ):
        drawn = vae.sample(4, random_state=0, given=table)
        assert dict(drawn.dtypes) == dict(people().dtypes)
        assert (drawn["job"][::2] == "judge").all()
        assert (drawn["income"][1::2] == 12).all()
        assert drawn["rich"][1::2].all()


def test_warnings_point_at_the_line_that_asked(vae):
    frame = people(60)
    pipeline = make_pipeline(VAETransformer(max_iter=1, hidden_layer_sizes=4), "passthrough").fit(
        frame
    )
    unseen, imputer = (
        frame.assign(job="astronaut"),
        VAEImputer(VAETransformer(max_iter=1)).fit(frame),
    )
    own = VAETransformer(max_iter=1, hidden_layer_sizes=4, warm_start=True).fit(frame)
    calls = [
        lambda: vae.sample(2, given={"income": 99}),
        lambda: vae.transform(unseen),
        lambda: vae.impute(unseen),
        lambda: vae.posterior_predictive(unseen),
        lambda: pipeline.transform(unseen),
        lambda: imputer.transform(unseen),
        lambda: own.fit(unseen),
        lambda: own.set_output(transform="pandas").transform(unseen),
    ]
    for call in calls:
        with pytest.warns(UserWarning, match=r"given has 99|not seen in fit") as told:
            call()
        assert {warning.filename for warning in told} == {__file__}
