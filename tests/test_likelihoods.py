"""Properties that every likelihood has, and each against SciPy's."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.integrate import quad, trapezoid
from scipy.special import expit, logit
from sklearn.base import clone

from skvae import likelihoods
from skvae._component import known, resolve
from skvae.likelihoods import Bernoulli, ContinuousBernoulli, Gaussian, Likelihood, Poisson

EVERY = [resolve(name, Likelihood, likelihoods) for name in known(Likelihood, likelihoods)]
INSTANCES = [*EVERY, Gaussian(scale="shared"), Gaussian(scale="cell"), Gaussian(scale=0.5)]
each_likelihood = pytest.mark.parametrize("likelihood", INSTANCES, ids=repr)

N_CELLS = 4
REAL = np.linspace(-60, 60, 480_001)
WHOLE = np.arange(200.0)


def support_of(likelihood):
    """Points that cover what the likelihood can give."""
    points = WHOLE if likelihood.measure == "mass" else REAL
    return points[likelihood.supports(points)].astype(np.float32)


def arrays_of(likelihood):
    """The argument `w` of a likelihood that has seen a few rows."""
    rows = np.resize(support_of(likelihood)[:12], (12, N_CELLS))
    return {**likelihood.init(N_CELLS), **likelihood.constants(rows)}


def raws(likelihood, n=5, spread=2.0):
    rng = np.random.default_rng(0)
    return rng.uniform(-spread, spread, (n, likelihood.n_raw(N_CELLS))).astype(np.float32)


def log_prob(likelihood, x, raw):
    x = np.broadcast_to(np.float32(x), (*np.shape(x)[:-1], N_CELLS))
    return likelihood.log_prob(arrays_of(likelihood), x, raw).numpy().astype(float)


@each_likelihood
def test_probabilities_sum_to_one(likelihood):
    points = support_of(likelihood)
    p = np.exp(log_prob(likelihood, points[:, None, None], raws(likelihood)))  # (points, rows, cells)
    total = p.sum(axis=0) if likelihood.measure == "mass" else trapezoid(p, points.astype(float), axis=0)
    np.testing.assert_allclose(total, 1, atol=1e-4)


@each_likelihood
def test_samples_have_the_log_probability_that_log_prob_expects(likelihood):
    raw, points = raws(likelihood), support_of(likelihood)
    log_p = log_prob(likelihood, points[:, None, None], raw)
    weight = np.exp(log_p) * (1 if likelihood.measure == "mass" else np.gradient(points.astype(float))[:, None, None])
    expected = (weight * log_p).sum(axis=0) / weight.sum(axis=0)
    drawn = likelihood.sample(arrays_of(likelihood), np.repeat(raw[None], 20_000, axis=0), np.random.default_rng(0))
    found = log_prob(likelihood, drawn, raw)
    error = found.std(axis=0) / 20_000**0.5
    assert (abs(found.mean(axis=0) - expected) < 5 * error + 1e-3).all()


@each_likelihood
def test_the_point_is_the_mean_of_samples(likelihood):
    raw, w = raws(likelihood), arrays_of(likelihood)
    drawn = likelihood.sample(w, np.repeat(raw[None], 20_000, axis=0), np.random.default_rng(0))
    error = drawn.std(axis=0) / 20_000**0.5
    assert (abs(drawn.mean(axis=0) - likelihood.point(w, raw)) < 5 * error + 1e-6).all()


@each_likelihood
def test_samples_lie_in_the_support(likelihood):
    raw = raws(likelihood, n=1000, spread=8.0)
    drawn = likelihood.sample(arrays_of(likelihood), raw, np.random.default_rng(0))
    assert likelihood.supports(drawn).all()


@each_likelihood
@pytest.mark.parametrize("extreme", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_values_and_gradients_are_finite_at_extreme_raw_values(likelihood, extreme):
    points = support_of(likelihood)
    x = tf.constant(np.stack([points[:1], points[-1:], np.median(points, keepdims=True)]) * np.ones((1, N_CELLS), "f4"))
    raw = tf.fill((3, likelihood.n_raw(N_CELLS)), np.float32(extreme))
    w = {name: tf.constant(array) for name, array in arrays_of(likelihood).items()}
    with tf.GradientTape() as tape:
        tape.watch([raw, w])
        total = tf.reduce_sum(likelihood.log_prob(w, x, raw))
    gradients = [g for g in tf.nest.flatten(tape.gradient(total, [raw, w])) if g is not None]
    assert np.isfinite(total)
    assert gradients
    assert all(np.isfinite(g).all() for g in gradients)


@each_likelihood
def test_the_encoder_sees_finite_features_of_as_many_columns(likelihood):
    x = np.resize(support_of(likelihood), (50, N_CELLS))
    features = np.asarray(likelihood.features(arrays_of(likelihood), x))
    assert features.shape == x.shape
    assert np.isfinite(features).all()


@each_likelihood
def test_nothing_outside_the_support_is_accepted(likelihood):
    assert not likelihood.supports(np.array([np.nan, np.inf, -np.inf])).any()
    assert likelihood.positive_only == (not likelihood.supports(np.array([-1.0])).any())


@each_likelihood
def test_copies_are_equal_and_hash_alike(likelihood):
    for copy in (clone(likelihood), pickle.loads(pickle.dumps(likelihood))):
        assert copy == likelihood
        assert hash(copy) == hash(likelihood)
    assert len({*INSTANCES}) == len(INSTANCES)


def test_the_gaussian_is_scipys_normal():
    raw = raws(Gaussian("cell"), n=20, spread=5)
    mean, log_scale = np.split(raw.astype(float), 2, axis=1)
    scale = np.exp(10 * np.tanh(log_scale / 10)) + 1e-3
    x = np.random.default_rng(1).normal(size=(20, N_CELLS)).astype(np.float32)
    np.testing.assert_allclose(
        log_prob(Gaussian("cell"), x, raw), stats.norm.logpdf(x, mean, scale), rtol=2e-4, atol=1e-4
    )


def test_a_gaussian_scale_is_never_below_a_thousandth_of_the_column():
    w = {"log_scale": np.full(N_CELLS, -1e6, np.float32)}
    peak = Gaussian().log_prob(w, np.zeros((1, N_CELLS), "f4"), np.zeros((1, N_CELLS), "f4"))
    assert np.exp(-np.max(peak)) / np.sqrt(2 * np.pi) >= 1e-3


def test_the_bernoulli_is_scipys_and_reads_grey_values_as_probabilities():
    raw = raws(Bernoulli(), n=20, spread=5)
    p = expit(arrays_of(Bernoulli())["base_logit"] + raw.astype(float))
    x = np.arange(20 * N_CELLS).reshape(20, N_CELLS) % 2
    np.testing.assert_allclose(log_prob(Bernoulli(), x, raw), stats.bernoulli.logpmf(x, p), rtol=1e-5, atol=1e-5)
    grey = np.full((20, N_CELLS), 0.3)
    cross_entropy = -(0.3 * np.log(p) + 0.7 * np.log1p(-p))
    np.testing.assert_allclose(log_prob(Bernoulli(), grey, raw), -cross_entropy, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 100, 12_345, 1_000_000])
def test_the_poisson_is_scipys_from_zero_to_millions(count):
    likely = max(count, 1)
    w = {"log_mean": np.full(N_CELLS, np.log(likely), np.float32)}
    raw = np.array([-3, -1, 0, 3], np.float32) / np.float32(likely**0.5)
    found = Poisson().log_prob(w, np.full(N_CELLS, count, np.float32), raw)
    np.testing.assert_allclose(found, stats.poisson.logpmf(count, Poisson().point(w, raw)), rtol=1e-5, atol=5e-3)


def continuous_bernoulli_density(x, lam):
    """As in the paper: C(lam) lam^x (1 - lam)^(1 - x), with its constant by numerical integration."""
    unnormalised = lambda t: lam**t * (1 - lam) ** (1 - t)  # noqa: E731
    return unnormalised(x) / quad(unnormalised, 0, 1)[0]


@pytest.mark.parametrize("lam", [1e-4, 0.1, 0.4, 0.4999, 0.5, 0.50001, 0.52, 0.57, 0.58, 0.9, 0.999])
def test_the_continuous_bernoulli_is_the_papers_density_and_its_mean(lam):
    raw = np.full((3, N_CELLS), logit(lam), "f4")
    x = np.array([[0.0], [0.3], [1.0]])
    expected = np.log([[continuous_bernoulli_density(t, lam)] for t in x[:, 0]])
    np.testing.assert_allclose(log_prob(ContinuousBernoulli(), x, raw), expected * np.ones(N_CELLS), atol=3e-6)
    mean = quad(lambda t: t * continuous_bernoulli_density(t, lam), 0, 1)[0]
    np.testing.assert_allclose(ContinuousBernoulli().point({}, raw), mean, atol=1e-6)
