"""Draws given some cells: the condition is met exactly, and the rest follows it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skvae import VAETransformer, _conditioning, _inference
from skvae._inference import learned
from skvae.likelihoods import Gaussian
from skvae.table import conditions

N = 600


def people(n=N):
    rng = np.random.default_rng(0)
    job = rng.integers(0, 3, n)
    income = 10 * job + rng.integers(0, 5, n)
    frame = pd.DataFrame({"job": np.array(["clerk", "smith", "judge"])[job], "income": income})
    when = pd.Timestamp("2020-01-01") + pd.to_timedelta(job * 100 + rng.integers(0, 50, n), unit="D")
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
    given = pd.DataFrame({"job": ["judge", None, "clerk"], "income": [np.nan, 12, np.nan]}, index=[7, 8, 9])
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
    z, size, _ = _conditioning.latents_given(vae._model, x, 1000, np.random.default_rng(0))
    assert len(np.unique(z, axis=0)) >= 900
    assert size >= 1000


def linear_gaussian():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 30)) + 0.3 * rng.normal(size=(2000, 30))
    vae = VAETransformer(
        4, hidden_layer_sizes=(), likelihood=Gaussian(), max_iter=40, learning_rate=0.01, random_state=0
    )
    vae.fit(X)
    kernel, bias = learned(vae._model)["decoder"][0]
    log_scale = learned(vae._model)["likelihood"]["0"]["log_scale"].astype(float)
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
    mixture = _conditioning.Mixture(
        np.log([0.3, 0.7]), np.array([[1.0, 0, 0, 0]]), np.tril(np.full((1, 4, 4), 0.2)) + 0.5 * np.eye(4)
    )
    z = _conditioning._draw(vae._model, mixture, 20_000, np.random.default_rng(0))
    log_q, parts = _conditioning._log_density(vae._model, mixture, z)
    np.testing.assert_allclose(np.exp(log_q), np.exp(parts).sum(axis=1), rtol=1e-6)
    prior = _inference.log_prior(vae._model, z)
    assert np.exp(prior - log_q).mean() == pytest.approx(1, abs=0.03)
    assert np.exp(parts[:, 1] - log_q).mean() == pytest.approx(0.7, abs=0.02)


def test_systematic_resampling_takes_each_draw_as_often_as_it_is_due():
    w = np.array([0.5, 0.25, 0.125, 0.125])
    counts = np.bincount(_conditioning._systematic(np.log(w), 80, np.random.default_rng(0)), minlength=4)
    assert (abs(counts - 80 * w) < 1).all()


def test_draws_for_a_condition_stay_below_their_limit(vae, monkeypatch):
    drawn = []
    joint = _inference.log_joint
    monkeypatch.setattr(_inference, "log_joint", lambda model, x, z: drawn.append(len(z)) or joint(model, x, z))
    monkeypatch.setattr(_conditioning, "MOST", 4 * _conditioning.BATCH)
    with pytest.warns(UserWarning, match="never saw"), pytest.warns(UserWarning, match="The condition is far"):
        vae.sample(10**4, random_state=0, given={"height": 1e3})
    assert sum(drawn[-3:]) <= 4 * _conditioning.BATCH


def test_a_hopeless_condition_warns_and_still_gives_its_rows(vae, monkeypatch):
    monkeypatch.setattr(_conditioning, "MOST", _conditioning.BATCH)
    monkeypatch.setattr(_conditioning, "PER_ROW", 10**6)
    monkeypatch.setattr(_conditioning, "_effective_size", lambda log_w: 7.0)
    with pytest.warns(UserWarning, match="50 rows rest on 7 effective draws of 4096"):
        assert len(vae.sample(50, given={"job": "judge"})) == 50


def test_a_number_outside_of_the_range_of_fit_gets_a_warning(vae):
    with pytest.warns(UserWarning, match="given has 99 in column 'income', which held 0 to 24"):
        drawn = vae.sample(5, given={"income": 99})
    assert (drawn["income"] == 99).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"town": "Rome"}, "given names column 'town', but fit saw no such column; it saw 'job', 'income'"),
        ({"job": "astronaut"}, "given has 'astronaut' in column 'job', but fit saw only 'clerk', 'judge', 'smith'"),
        ({"income": 2.5}, "given has 2.5 in column 'income', but that column holds whole numbers"),
        ({"height": "tall"}, "given has 'tall' in column 'height', but that column holds finite numbers"),
        ({"rich": 2}, "given has 2 in column 'rich', but that column holds booleans"),
        ({"when": 5}, "given has 5 in column 'when', but that column holds datetimes"),
        ({"one": 8}, "given has 8 in column 'one', but fit saw only 1 there"),
        ({"income": np.inf}, "given has inf in column 'income', but that column holds whole numbers"),
        ({"job": ["clerk", "smith"]}, "given has .* in column 'job'; for several conditions give a DataFrame"),
        (7, "given has type int, but a dict"),
    ],
)
def test_bad_conditions_get_one_clear_sentence(vae, given, message):
    with pytest.raises(ValueError, match=message):
        vae.sample(5, given=given)
