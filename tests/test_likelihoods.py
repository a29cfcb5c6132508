"""Properties that every likelihood has, and each against SciPy's or its formula."""

import pickle
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit, logit, softmax
from sklearn.base import clone

from skvae import likelihoods
from skvae._component import known, resolve
from skvae.likelihoods import (
    Bernoulli,
    Beta,
    Categorical,
    ContinuousBernoulli,
    Gaussian,
    Histogram,
    Laplace,
    Likelihood,
    Lognormal,
    NegativeBinomial,
    Ordinal,
    Poisson,
    StudentT,
    WarpedGaussian,
    ZeroInflated,
)
from skvae.likelihoods._base import Column, Size
from skvae.likelihoods._slots import padded

EVERY = [resolve(name, Likelihood, likelihoods) for name in known(Likelihood, likelihoods)]
INSTANCES = [
    *EVERY,
    *(
        cls(scale)
        for cls in (Gaussian, Laplace, WarpedGaussian)
        for scale in ("shared", "cell", 0.5)
    ),
    *(WarpedGaussian(scale, heavy_tails=True) for scale in ("feature", "cell", 0.5)),
    StudentT(df=30, scale="cell"),
    *(ZeroInflated(inner) for inner in ("negative_binomial", "lognormal", Beta())),
]
each_likelihood = pytest.mark.parametrize("likelihood", INSTANCES, ids=repr)

N_SLOTS = (5, 3, 1, 4)
N_CELLS = len(N_SLOTS)
N_DRAWS = 10_000
NEAR_ENDS = np.concatenate(
    [np.geomspace(1e-30, 0.01, 2000), 1 - np.geomspace(2.0**-24, 0.01, 2000), [0.0, 1.0]]
)
REAL = np.unique(np.float32(np.concatenate([np.sinh(np.linspace(-14, 14, 8001)), NEAR_ENDS])))
WHOLE = np.arange(2000, dtype=np.float32)


def size_of(likelihood):
    return Size(N_CELLS, padded(sum(N_SLOTS)) if likelihood.has_slots else 0)


def warp_of(likelihood):
    """The map of a skewed column, where the likelihood has one without slots."""
    X = np.random.default_rng(3).lognormal(size=500)
    return None if likelihood.has_slots else likelihood.placement(X)


def columns_of(likelihood):
    if not likelihood.has_slots:
        warp = warp_of(likelihood)
        return [Column(0, None if warp is None else warp.points())] * N_CELLS
    rng = np.random.default_rng(1)
    return [Column(n, None if likelihood.over_levels else rng.normal(size=n)) for n in N_SLOTS]


def support_of(likelihood):
    """Cells that cover what the likelihood can give, (points,)."""
    if likelihood.has_slots:
        return np.arange(max(N_SLOTS), dtype=np.float32)
    points = WHOLE if likelihood.measure == "mass" else REAL
    return points[likelihood.supports(points.astype(float))]


def weights_of(likelihood):
    """How much each of these counts in an integral, (points, cells)."""
    points = support_of(likelihood).astype(float)
    if likelihood.has_slots:
        return (points[:, None] < N_SLOTS).astype(float)
    if likelihood.measure == "mass":
        return np.ones((len(points), N_CELLS))
    continuous = points != 0 if likelihood.measure == "mixed" else np.ones(len(points), bool)
    gaps = np.diff(points[continuous])
    weights = np.ones(len(points))  # that of an atom
    weights[continuous] = (np.append(gaps, 0) + np.append(0, gaps)) / 2
    return np.repeat(weights[:, None], N_CELLS, axis=1)


@cache
def arrays_of(likelihood):
    """The argument `w` of a likelihood that has seen a few rows."""
    if likelihood.has_slots:
        rows = np.random.default_rng(2).integers(0, N_SLOTS, (40, N_CELLS)).astype(np.float32)
    else:
        few = np.float32([0.0, 0.0, 1.0, 2.0, 0.2, 3.0, 0.4, 0.5, 0.7, 5.0, 0.8, 9.0])
        rows = np.resize(few[likelihood.supports(few.astype(float))], (13, N_CELLS))
    return {
        **likelihood.init(size_of(likelihood)),
        **likelihood.constants(rows, columns_of(likelihood)),
    }


def raws(likelihood, n=3, spread=1.0):
    rng = np.random.default_rng(0)
    return rng.uniform(-spread, spread, (n, likelihood.n_raw(size_of(likelihood)))).astype(
        np.float32
    )


def log_prob(likelihood, x, raw, w=None):
    x = np.broadcast_to(np.float32(x), (*np.shape(x)[:-1], N_CELLS))
    leading = np.broadcast_shapes(x.shape[:-1], raw.shape[:-1])
    x, raw = (
        np.broadcast_to(x, (*leading, N_CELLS)),
        np.broadcast_to(raw, (*leading, raw.shape[-1])),
    )
    return np.asarray(likelihood.log_prob(w or arrays_of(likelihood), x, raw), float)


def draws(likelihood, raw):
    repeated = np.repeat(raw[None], N_DRAWS, axis=0)
    return likelihood.sample(arrays_of(likelihood), repeated, np.random.default_rng(0))


def values_of(likelihood, cells):
    """Cells as numbers: the mean of the slot where there is a grid."""
    if not likelihood.has_slots:
        warp = warp_of(likelihood)
        return cells if warp is None else warp.decode(cells)
    codes = np.floor(cells).astype(int)
    return np.stack(
        [column.points[codes[..., i]] for i, column in enumerate(columns_of(likelihood))], axis=-1
    )


@each_likelihood
def test_probabilities_sum_to_one(likelihood):
    p = np.exp(
        log_prob(likelihood, support_of(likelihood)[:, None, None], raws(likelihood))
    )  # (points, rows, cells)
    np.testing.assert_allclose((p * weights_of(likelihood)[:, None]).sum(axis=0), 1, atol=1e-3)


@each_likelihood
def test_samples_have_the_log_probability_that_log_prob_expects(likelihood):
    raw = raws(likelihood)
    log_p = log_prob(likelihood, support_of(likelihood)[:, None, None], raw)
    weight = np.exp(log_p) * weights_of(likelihood)[:, None]
    expected = (weight * log_p).sum(axis=0) / weight.sum(axis=0)
    found = log_prob(likelihood, draws(likelihood, raw), raw)
    error = found.std(axis=0) / N_DRAWS**0.5
    assert (abs(found.mean(axis=0) - expected) < 5 * error + 5e-3).all()


@each_likelihood
def test_the_point_is_the_mean_of_samples_or_the_most_likely_level(likelihood):
    raw = raws(likelihood)
    point = likelihood.point(arrays_of(likelihood), raw)
    if likelihood.over_levels:
        codes = support_of(likelihood)[:, None, None]
        p = np.where(codes < N_SLOTS, log_prob(likelihood, codes, raw), -np.inf)
        np.testing.assert_array_equal(point, p.argmax(axis=0))
        return
    drawn = values_of(likelihood, draws(likelihood, raw))
    error = drawn.std(axis=0) / N_DRAWS**0.5
    assert (abs(drawn.mean(axis=0) - point) < 5 * error + 1e-6).all()


@each_likelihood
def test_a_mixture_of_one_component_has_its_point(likelihood):
    raw, w = raws(likelihood, n=6)[None], arrays_of(likelihood)
    np.testing.assert_allclose(
        likelihood.point_of_mixture(w, raw, np.ones((1, 6))), likelihood.point(w, raw[0])
    )


@each_likelihood
def test_the_point_of_a_mixture_is_that_of_its_samples(likelihood):
    raw, w, weights = raws(likelihood, n=2, spread=3.0), arrays_of(likelihood), np.array([0.3, 0.7])
    point = likelihood.point_of_mixture(w, raw[:, None], weights[:, None])[0]
    if likelihood.over_levels:
        codes = support_of(likelihood)[:, None, None]
        p = np.exp(log_prob(likelihood, codes, raw)) * (codes < N_SLOTS)
        np.testing.assert_array_equal(point, (weights[:, None] * p).sum(axis=1).argmax(axis=0))
        return
    np.testing.assert_allclose(point, weights @ likelihood.point(w, raw), rtol=1e-6)


@each_likelihood
def test_samples_lie_in_the_support(likelihood):
    raw = raws(likelihood, n=1000, spread=8.0)
    drawn = likelihood.sample(arrays_of(likelihood), raw, np.random.default_rng(0))
    assert drawn.shape == (1000, N_CELLS)
    assert likelihood.supports(drawn).all()
    if likelihood.has_slots:
        assert (np.float32(drawn) < N_SLOTS).all()
    if likelihood.measure == "density":
        assert likelihood.supports(np.float32(drawn)).all()


@each_likelihood
@pytest.mark.parametrize("extreme", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_values_and_gradients_are_finite_at_extreme_raw_values(likelihood, extreme):
    points = support_of(likelihood)
    some = points[[0, 1, len(points) // 2, -1]]
    x = (
        np.minimum(some[:, None], np.float32(N_SLOTS) - 1)
        if likelihood.has_slots
        else np.tile(some[:, None], N_CELLS)
    )
    raw = tf.fill((len(some), likelihood.n_raw(size_of(likelihood))), np.float32(extreme))
    w = {name: tf.constant(array) for name, array in arrays_of(likelihood).items()}
    learned = [w[name] for name in likelihood.init(size_of(likelihood))]
    with tf.GradientTape() as tape:
        tape.watch([raw, *learned])
        cells = likelihood.log_prob(w, tf.constant(x), raw)
    gradients = [g for g in tape.gradient(cells, [raw, *learned]) if g is not None]
    assert np.isfinite(cells).all()
    assert gradients
    assert all(np.isfinite(g).all() for g in gradients)


@each_likelihood
@pytest.mark.parametrize("extreme", [-1e4, 1e4])
def test_values_and_gradients_are_finite_wherever_learned_arrays_wander(likelihood, extreme):
    points = support_of(likelihood)
    learned = {
        name: tf.fill(a.shape, np.float32(extreme))
        for name, a in likelihood.init(size_of(likelihood)).items()
    }
    x = np.tile(points[[0, 1, -1]][:, None], N_CELLS)
    with tf.GradientTape() as tape:
        tape.watch(learned)
        cells = likelihood.log_prob({**arrays_of(likelihood), **learned}, x, raws(likelihood))
    assert np.isfinite(cells).all()
    assert all(np.isfinite(g).all() for g in tape.gradient(cells, [*learned.values()]))


@each_likelihood
def test_the_encoder_sees_finite_features_of_as_many_columns(likelihood):
    x = np.resize(support_of(likelihood), (50, N_CELLS))
    x = np.minimum(x, np.float32(N_SLOTS) - 1) if likelihood.has_slots else x
    features = np.asarray(likelihood.features(arrays_of(likelihood), x, np.ones_like(x)))
    assert features.shape == (50, likelihood.n_features(size_of(likelihood)))
    assert np.isfinite(features).all()
    assert features.any()


@each_likelihood
def test_the_encoder_sees_zeros_in_a_hole(likelihood):
    x = np.full((1, N_CELLS), support_of(likelihood)[0])
    features = likelihood.features(arrays_of(likelihood), x, np.zeros_like(x))
    np.testing.assert_array_equal(features, 0)


@each_likelihood
@pytest.mark.parametrize("filler", [0.0, -1.0, 0.3, 7.0, 1e6])
def test_what_lies_under_a_hole_makes_no_difference(likelihood, filler):
    w = arrays_of(likelihood)
    x = np.full((5, N_CELLS), support_of(likelihood)[0])
    seen = (np.arange(5 * N_CELLS).reshape(5, N_CELLS) % 3 > 0).astype(np.float32)
    filled = np.where(seen, x, np.float32(filler))
    np.testing.assert_array_equal(
        likelihood.features(w, filled, seen), likelihood.features(w, x, seen)
    )
    assert np.isfinite(log_prob(likelihood, filled, raws(likelihood, n=5))).all()


@each_likelihood
def test_the_shapes_of_constants_follow_from_the_size_alone(likelihood):
    x = np.full((2, N_CELLS), support_of(likelihood)[0])
    columns = [Column(1, np.zeros(1))] * N_CELLS if likelihood.has_slots else [Column()] * N_CELLS
    shapes = {name: array.shape for name, array in likelihood.constants(x, columns).items()}
    learned = likelihood.init(size_of(likelihood))
    assert shapes == {
        name: array.shape for name, array in arrays_of(likelihood).items() if name not in learned
    }


@each_likelihood
def test_nothing_outside_the_support_is_accepted(likelihood):
    assert not likelihood.supports(np.array([np.nan, np.inf, -np.inf])).any()
    takes_negative_numbers = likelihood.supports(np.array([-1.0])).any()
    assert takes_negative_numbers != (likelihood.positive_only or likelihood.over_levels)


@each_likelihood
def test_copies_are_equal_and_hash_alike(likelihood):
    for copy in (clone(likelihood), pickle.loads(pickle.dumps(likelihood))):
        assert copy == likelihood
        assert hash(copy) == hash(likelihood)
    assert len({*INSTANCES}) == len(INSTANCES)


@pytest.mark.parametrize("magnitude", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("name", ["gaussian", "student_t", "laplace", "lognormal"])
def test_numbers_of_any_magnitude_become_cells_of_about_one(name, magnitude):
    X = magnitude * np.random.default_rng(0).lognormal(size=999)
    location, scale = resolve(name, Likelihood, likelihoods).location_and_scale(X)
    assert 0.4 < np.median(abs((X - location) / scale)) < 1.1


def test_the_gaussian_is_scipys_normal():
    raw = raws(Gaussian("cell"), n=20, spread=5)
    mean, log_scale = np.split(raw.astype(float), 2, axis=1)
    scale = np.exp(10 * np.tanh(log_scale / 10)) + 1e-3
    x = np.random.default_rng(1).normal(size=(20, N_CELLS)).astype(np.float32)
    expected = stats.norm.logpdf(x, mean, scale)
    np.testing.assert_allclose(log_prob(Gaussian("cell"), x, raw), expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("df", [0.5, 1, 4.0, 1e6])
def test_the_student_t_is_scipys(df):
    likelihood = StudentT(df, scale="cell")
    raw = raws(likelihood, n=20, spread=5)
    location, log_scale = np.split(raw.astype(float), 2, axis=1)
    scale = np.exp(10 * np.tanh(log_scale / 10)) + 1e-3
    x = 10 * np.random.default_rng(1).normal(size=(20, N_CELLS)).astype(np.float32)
    expected = stats.t.logpdf(x, df, location, scale)
    np.testing.assert_allclose(log_prob(likelihood, x, raw), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("share", [1e-6, 0.01, 0.6])
def test_the_noise_behind_a_warp_is_a_mixture_of_scipys_normal_and_t(share):
    likelihood = WarpedGaussian("cell", heavy_tails=True)
    raw = raws(likelihood, n=20, spread=2)
    mean, log_scale = np.split(raw.astype(float), 2, axis=1)
    scale = np.exp(10 * np.tanh(log_scale / 10)) + 1e-3
    log_odds, log_wide = np.full((2, N_CELLS), [[logit(share)], [0.7]], np.float32)
    w = arrays_of(likelihood) | {"log_odds": log_odds, "log_wide": log_wide}
    odds = np.exp(10 * np.tanh(logit(share) / 10)) + 1e-4
    share = 1 / (1 / min(odds, 1e9) + 2)  # of odds 1 / (1 + 1 / odds): a half at most
    wide_scale = np.exp(10 * np.tanh(0.07)) + 0.1
    x = 10 * np.random.default_rng(1).normal(size=(20, N_CELLS)).astype(np.float32)
    density = (1 - share) * stats.norm.pdf(x, mean, scale) + share * stats.t.pdf(
        x, 2, mean, wide_scale
    )
    np.testing.assert_allclose(log_prob(likelihood, x, raw, w), np.log(density), rtol=1e-3)
    raw, w = np.repeat(raw[:1], 20_000, axis=0), w | {"reach": np.float32([[-np.inf], [np.inf]])}
    apart = abs(likelihood.sample(w, raw, np.random.default_rng(2)) - mean[:1]) / scale[:1]
    expected = 2 * (1 - share) * stats.norm.sf(3) + 2 * share * stats.t.sf(
        3 * scale[0] / wide_scale, 2
    )
    noise = (expected / 20_000) ** 0.5
    assert (abs((apart > 3).mean(axis=0) - expected) < 4 * noise).all()


@pytest.mark.parametrize("scale", ["feature", "shared", 0.5])
def test_wide_noise_stays_the_wider_and_the_rarer(scale):
    likelihood = WarpedGaussian(scale, heavy_tails=True)
    extremes = {"log_odds": np.full(N_CELLS, 1e4), "log_wide": np.full(N_CELLS, -1e4)}
    w = {name: np.float32(array) for name, array in extremes.items()}
    raw, x = raws(likelihood), np.float32(np.linspace(-3, 3, N_CELLS))[None]
    narrow = {"feature": 1.0, "shared": 1.0, 0.5: 0.5}[scale] * (1.001 if scale != 0.5 else 1.0)
    densities = [of.pdf(x, *df, raw, narrow) for of, df in ((stats.norm, ()), (stats.t, (2,)))]
    found = log_prob(likelihood, x, raw, arrays_of(likelihood) | w)
    np.testing.assert_allclose(found, np.log(np.mean(densities, axis=0)), rtol=1e-3, atol=1e-3)


def test_noise_of_a_warp_is_finite_however_far_a_decoder_goes():
    for likelihood in (WarpedGaussian(), WarpedGaussian(heavy_tails=True)):
        for far in (-1e13, 1e13):
            x = np.zeros((1, N_CELLS), np.float32)
            found = log_prob(likelihood, x, np.full((1, N_CELLS), far, np.float32))
            assert np.isfinite(found).all()
            assert (found < -40).all()


def test_the_laplace_is_scipys():
    raw = raws(Laplace("cell"), n=20, spread=5)
    location, log_scale = np.split(raw.astype(float), 2, axis=1)
    scale = np.exp(10 * np.tanh(log_scale / 10)) + 1e-3
    x = np.random.default_rng(1).normal(size=(20, N_CELLS)).astype(np.float32)
    expected = stats.laplace.logpdf(x, location, scale)
    np.testing.assert_allclose(log_prob(Laplace("cell"), x, raw), expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("cls", [Gaussian, StudentT, Laplace])
def test_a_learned_scale_is_never_below_a_thousandth_of_the_column(cls):
    x = np.float32([[0.0], [0.001]])
    low, lower = (
        {"log_scale": np.full(N_CELLS, log_scale, np.float32)} for log_scale in (-1e4, -1e6)
    )
    raw = np.zeros((1, N_CELLS), np.float32)
    np.testing.assert_array_equal(log_prob(cls(), x, raw, low), log_prob(cls(), x, raw, lower))
    fixed = log_prob(cls(scale=0.001), x, raw, {"none": None})
    np.testing.assert_allclose(log_prob(cls(), x, raw, lower), fixed, atol=0.1)


@pytest.mark.parametrize("cls", [StudentT, Laplace])
def test_outliers_do_not_move_the_scale_of_a_heavy_tailed_column(cls):
    X = np.random.default_rng(0).normal(5, 2, 10_001)
    X[:100] = 1e9
    assert cls().location_and_scale(X) == pytest.approx((5, 2), abs=0.1)


@pytest.mark.parametrize("cls", [StudentT, Laplace])
def test_a_column_of_mostly_one_value_is_scaled_by_its_deviation(cls):
    X = np.r_[np.zeros(90), np.ones(10)]
    assert cls().location_and_scale(X) == pytest.approx((0.1, 0.3))
    assert cls().location_and_scale(np.full(5, 3.0)) == (3.0, 1.0)


def test_the_lognormal_is_scipys():
    raw, w = raws(Lognormal(), n=20, spread=2), arrays_of(Lognormal())
    mean = w["center"] + w["spread"] * 10 * np.tanh(raw.astype(float) / 10)
    x = np.random.default_rng(1).lognormal(sigma=3, size=(20, N_CELLS)).astype(np.float32)
    scipys = stats.lognorm(s=w["spread"] * 1.001, scale=np.exp(mean))
    np.testing.assert_allclose(
        log_prob(Lognormal(), x, raw), scipys.logpdf(x), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(Lognormal().point(w, raw), scipys.mean(), rtol=1e-4)


def beta_arrays(mean, precision):
    share = (mean - 1e-4) / (1 - 2e-4)
    arrays = {"base_logit": logit(share), "base_log_precision": np.log(precision)}
    return {name: np.full(N_CELLS, value, np.float32) for name, value in arrays.items()}


@pytest.mark.parametrize("mean", [2e-4, 0.03, 0.5, 0.9])
@pytest.mark.parametrize("precision", [0.1, 3.0, 1e3, 1e6])
def test_the_beta_is_scipys(mean, precision):
    w, raw = beta_arrays(mean, precision), np.zeros((1, 2 * N_CELLS), np.float32)
    mean, precision = Beta().point(w, raw)[0, 0], np.exp(float(w["base_log_precision"][0]))
    deviation = (mean * (1 - mean) / (1 + precision)) ** 0.5
    x = np.float32(mean + deviation * np.array([-2, -0.5, 0, 0.5, 2]).clip(-mean / deviation / 2))
    x = np.append(x, np.float32([1e-20, 0.001, 0.999]))
    x = x[(x > 0) & (x < 1)][:, None].astype(float)
    expected = stats.beta.logpdf(x, mean * precision, (1 - mean) * precision) * np.ones(N_CELLS)
    np.testing.assert_allclose(log_prob(Beta(), x, raw, w), expected, rtol=1e-5, atol=2e-3)


def test_the_beta_starts_at_the_moments_of_the_column():
    x = np.random.default_rng(0).beta(0.5, 10, (100_000, N_CELLS)).astype(np.float32)
    w, raw = Beta().constants(x, [Column()] * N_CELLS), np.zeros((1, 2 * N_CELLS), np.float32)
    np.testing.assert_allclose(Beta().point(w, raw)[0], x.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(np.exp(w["base_log_precision"]), 10.5, rtol=0.05)


def test_the_bernoulli_is_scipys_and_reads_grey_values_as_probabilities():
    raw = raws(Bernoulli(), n=20, spread=5)
    p = expit(arrays_of(Bernoulli())["base_logit"] + raw.astype(float))
    x = np.arange(20 * N_CELLS).reshape(20, N_CELLS) % 2
    np.testing.assert_allclose(
        log_prob(Bernoulli(), x, raw), stats.bernoulli.logpmf(x, p), rtol=1e-5, atol=1e-5
    )
    grey = np.full((20, N_CELLS), 0.3)
    cross_entropy = -(0.3 * np.log(p) + 0.7 * np.log1p(-p))
    np.testing.assert_allclose(
        log_prob(Bernoulli(), grey, raw), -cross_entropy, rtol=1e-5, atol=1e-5
    )


COUNTS = [0, 1, 2, 9, 10, 11, 100, 12_345, 1_000_000]


@pytest.mark.parametrize("count", COUNTS)
def test_the_poisson_is_scipys_from_zero_to_millions(count):
    likely = max(count, 1)
    w = {"log_mean": np.full(N_CELLS, np.log(likely), np.float32)}
    raw = np.array([-3, -1, 0, 3], np.float32) / np.float32(likely**0.5)
    found = Poisson().log_prob(w, np.full(N_CELLS, count, np.float32), raw)
    np.testing.assert_allclose(
        found, stats.poisson.logpmf(count, Poisson().point(w, raw)), rtol=1e-5, atol=5e-3
    )


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("r", [1e-2, 0.3, 1.0, 50.0, 1e4])
def test_the_negative_binomial_is_scipys_from_zero_to_millions(count, r):
    likely = max(count, 1)
    w = {"log_mean": np.log(likely), "base_log_r": np.log(r), "log_r": 0.0}
    w = {name: np.full(N_CELLS, value, np.float32) for name, value in w.items()}
    for raw in (np.float32([-8, -3, -1, 0]), np.float32([-0.01, 0.01, 3, 8])):
        mean, r = NegativeBinomial().point(w, raw), np.exp(w["base_log_r"].astype(float))
        found = NegativeBinomial().log_prob(w, np.full(N_CELLS, count, np.float32), raw)
        np.testing.assert_allclose(
            found, stats.nbinom.logpmf(count, r, r / (r + mean)), rtol=1e-5, atol=5e-3
        )


@pytest.mark.parametrize("count", COUNTS)
def test_the_negative_binomial_of_little_dispersion_is_a_poisson(count):
    w = {"log_mean": np.log(max(count, 1)), "base_log_r": np.log(1e15), "log_r": 0.0}
    w = {name: np.full(N_CELLS, value, np.float32) for name, value in w.items()}
    x, raw = np.full(N_CELLS, count, np.float32), np.float32([-0.1, -0.001, 0.001, 0.1])
    found, expected = (cls().log_prob(w, x, raw) for cls in (NegativeBinomial, Poisson))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_negative_binomial_starts_at_the_moments_of_the_column():
    x = np.random.default_rng(0).negative_binomial(2, 0.1, (50_000, N_CELLS)).astype(np.float32)
    w = NegativeBinomial().constants(x, [Column()] * N_CELLS)
    np.testing.assert_allclose(np.exp(w["base_log_r"]), 2, rtol=0.1)
    np.testing.assert_allclose(np.exp(w["log_mean"]), 18, rtol=0.05)


def continuous_bernoulli_density(x, lam):
    """As in the paper: C(lam) lam^x (1 - lam)^(1 - x), its constant by numerical integration."""
    unnormalised = lambda t: lam**t * (1 - lam) ** (1 - t)  # noqa: E731
    return unnormalised(x) / quad(unnormalised, 0, 1)[0]


@pytest.mark.parametrize(
    "lam", [1e-4, 0.1, 0.4, 0.4999, 0.5, 0.50001, 0.52, 0.57, 0.58, 0.9, 0.999]
)
def test_the_continuous_bernoulli_is_the_papers_density_and_its_mean(lam):
    raw = np.full((3, N_CELLS), logit(lam), "f4")
    x = np.array([[0.0], [0.3], [1.0]])
    expected = np.log([[continuous_bernoulli_density(t, lam)] for t in x[:, 0]])
    np.testing.assert_allclose(
        log_prob(ContinuousBernoulli(), x, raw), expected * np.ones(N_CELLS), atol=3e-6
    )
    mean = quad(lambda t: t * continuous_bernoulli_density(t, lam), 0, 1)[0]
    np.testing.assert_allclose(ContinuousBernoulli().point({}, raw), mean, atol=1e-6)


def test_the_zero_inflated_poisson_is_its_closed_form():
    likelihood = ZeroInflated()
    w, raw = arrays_of(likelihood), raws(likelihood, n=20, spread=2)
    raw_rate, raw_logit = np.split(10 * np.tanh(raw.astype(float) / 10), 2, axis=1)
    pi, rate = expit(w["base_logit"] + raw_logit), np.exp(w["inner_log_mean"] + raw_rate)
    x = np.arange(20 * N_CELLS).reshape(20, N_CELLS) % 4
    expected = np.log(pi * (x == 0) + (1 - pi) * stats.poisson.pmf(x, rate))
    np.testing.assert_allclose(log_prob(likelihood, x, raw), expected, rtol=1e-4, atol=1e-5)


def test_the_zero_inflated_lognormal_has_an_atom_beside_its_density():
    likelihood, inner = ZeroInflated("lognormal"), Lognormal()
    w, raw = arrays_of(likelihood), raws(likelihood, n=20, spread=2)
    pi = expit(w["base_logit"] + 10 * np.tanh(raw[:, N_CELLS:].astype(float) / 10))
    own = {name.removeprefix("inner_"): array for name, array in w.items()}
    x = np.random.default_rng(1).lognormal(size=(20, N_CELLS)).astype(np.float32)
    expected = np.log1p(-pi) + log_prob(inner, x, raw[:, :N_CELLS], own)
    np.testing.assert_allclose(log_prob(likelihood, x, raw), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(log_prob(likelihood, 0 * x, raw), np.log(pi), rtol=1e-4, atol=1e-5)


def test_zeros_do_not_count_towards_what_the_rest_starts_from():
    rest = np.random.default_rng(0).lognormal(3, 2, (50, N_CELLS)).astype(np.float32)
    columns, likelihood = [Column()] * N_CELLS, ZeroInflated("lognormal")
    w = likelihood.constants(np.concatenate([rest, np.zeros((150, N_CELLS), np.float32)]), columns)
    alone = Lognormal().constants(rest, columns)
    np.testing.assert_allclose(w["inner_center"], alone["center"], rtol=1e-5)
    np.testing.assert_allclose(w["inner_spread"], alone["spread"], rtol=1e-5)
    np.testing.assert_allclose(expit(w["base_logit"]), 0.75, rtol=1e-5)
    X = np.r_[0.0, 0.0, 4.0, 25.0]
    assert likelihood.location_and_scale(X) == pytest.approx((0, 10))
    assert likelihood.location_and_scale(0 * X) == (0, 1)


def test_a_column_of_zeros_alone_is_no_trouble():
    for likelihood in (ZeroInflated(), ZeroInflated("lognormal"), ZeroInflated("beta")):
        x = np.zeros((5, N_CELLS), np.float32)
        w = {**likelihood.init(Size(N_CELLS)), **likelihood.constants(x, [Column()] * N_CELLS)}
        assert np.isfinite(log_prob(likelihood, x, raws(likelihood, n=5), w)).all()
        assert np.isfinite(likelihood.features(w, x, x + 1)).all()


@pytest.mark.parametrize(
    "inner", ["gaussian", "categorical", "ordinal", "histogram", "bernoulli", StudentT()]
)
def test_only_counts_and_positive_numbers_can_be_zero_inflated(inner):
    with pytest.raises(
        ValueError, match="needs a likelihood of counts or of positive numbers.*Use 'poisson'"
    ):
        ZeroInflated(inner).supports(np.zeros(1))


def test_an_unknown_name_in_a_zero_inflated_likelihood_is_told():
    with pytest.raises(ValueError, match="Unknown likelihood 'poison'"):
        ZeroInflated("poison").supports(np.zeros(1))


class Exponential(Likelihood):
    """As a user may write it."""

    measure = "density"
    support = "positive numbers"
    positive_only = True

    def supports(self, X):
        return (X > 0) & np.isfinite(X)

    def log_prob(self, w, x, raw):
        return raw - tf.exp(raw) * x - 0 * tf.math.log(x)

    def point(self, w, raw):
        return np.exp(-raw)

    def sample(self, w, raw, rng):
        return rng.exponential(np.exp(-raw))


def test_a_likelihood_of_your_own_can_be_zero_inflated():
    likelihood = ZeroInflated(Exponential())
    assert likelihood.measure == "mixed"
    assert likelihood.support == "0 or positive numbers"
    test_probabilities_sum_to_one(likelihood)
    test_the_point_is_the_mean_of_samples_or_the_most_likely_level(likelihood)
    test_values_and_gradients_are_finite_at_extreme_raw_values(likelihood, 0.0)


def own_and_tilted(w, raw):
    """Raw numbers of slots, tilted by their scores where each column has a tilt and a bend."""
    own, more = raw[:, : len(w["base"])], raw[:, len(w["base"]) :]
    if not more.shape[1]:
        return own
    tilt, bend = (part[:, w["column"].clip(0).astype(int)] for part in np.split(more, 2, axis=1))
    return own + tilt * w["score"] + bend * (w["score"] ** 2 - 1)


@pytest.mark.parametrize("likelihood", [Categorical(), Histogram()], ids=repr)
def test_the_slots_of_a_column_have_the_softmax_of_their_logits(likelihood):
    w, raw = arrays_of(likelihood), raws(likelihood, n=20, spread=5)
    logits = w["base"] + 10 * np.tanh(own_and_tilted(w, raw.astype(float)) / 10)
    start = 0
    for i, n in enumerate(N_SLOTS):
        expected = softmax(logits[:, start : start + n], axis=1)
        for code in range(n):
            found = np.exp(
                log_prob(likelihood, np.full((20, N_CELLS), min(code, n - 1)), raw)[:, i]
            )
            np.testing.assert_allclose(found, expected[:, code], rtol=1e-5, atol=1e-7)
        start += n


def cumulative_logit_probabilities(shares, location, slope):
    """P(code = k) as the difference of sigmoid((threshold - location) * slope), (rows, levels)."""
    thresholds = logit(np.cumsum(shares)[:-1])
    upper = expit((thresholds - location[:, None]) * slope[:, None])
    return np.diff(upper, prepend=0, append=1, axis=1)


def test_the_ordinal_is_the_cumulative_logit_model():
    w, raw = arrays_of(Ordinal()), raws(Ordinal(), n=20, spread=3)
    location, log_slope = np.split(raw.astype(float), 2, axis=1)
    location, slope = 10 * np.tanh(location / 10), np.exp(3 * np.tanh(log_slope / 3))
    start = 0
    for i, n in enumerate(N_SLOTS):
        shares = np.exp(w["base"][start : start + n].astype(float))
        expected = cumulative_logit_probabilities(
            shares / shares.sum(), location[:, i], slope[:, i]
        )
        for code in range(n):
            found = np.exp(log_prob(Ordinal(), np.full((20, N_CELLS), code), raw)[:, i])
            np.testing.assert_allclose(found, expected[:, code], rtol=1e-4, atol=1e-6)
        start += n


@pytest.mark.parametrize("likelihood", [Categorical(), Ordinal(), Histogram()], ids=repr)
def test_slots_start_at_their_shares_of_rows(likelihood):
    rows = np.repeat([[0.0], [1.0], [2.0]], [100, 300, 600], axis=0).astype(np.float32)
    w = likelihood.constants(rows, [Column(3, np.zeros(3))])
    raw = np.zeros((3, likelihood.n_raw(Size(1, padded(3)))), np.float32)
    found = np.exp(likelihood.log_prob(w, np.float32([[0], [1], [2]]), raw))
    np.testing.assert_allclose(found[:, 0], [0.1, 0.3, 0.6], atol=1e-3)


def test_a_rare_level_among_a_million_rows_keeps_its_probability():
    rows = np.repeat([[0.0], [1.0], [2.0]], [500_000, 1, 499_999], axis=0).astype(np.float32)
    w, raw = Ordinal().constants(rows, [Column(3)]), np.float32([[0, -3]])
    slope = np.exp(3 * np.tanh(-1))
    found = np.exp(Ordinal().log_prob(w, np.float32([[1]]), raw))
    np.testing.assert_allclose(found, 1.5e-6 * slope, rtol=1e-3)
    p = Ordinal()._probabilities(w, raw)[0]
    np.testing.assert_allclose(p[0, 1], found[0, 0], rtol=1e-2)


@pytest.mark.parametrize("likelihood", [Categorical(), Ordinal(), Histogram()], ids=repr)
@pytest.mark.parametrize("n_slots", [(0, 1), (1, 0), (0, 0), (64, 0), (0, 64, 0)], ids=str)
def test_a_column_of_at_most_one_slot_is_certain(likelihood, n_slots):
    columns = [Column(n, np.full(n, 3.0)) for n in n_slots]
    size = Size(len(n_slots), padded(sum(n_slots)))
    x = np.zeros((2, len(n_slots)), np.float32)
    w = likelihood.constants(x, columns)
    raw = tf.fill((2, likelihood.n_raw(size)), np.float32(2.0))
    with tf.GradientTape() as tape:
        tape.watch(raw)
        found = likelihood.log_prob(w, tf.constant(x), raw)
    certain = np.array(n_slots) < 2
    np.testing.assert_array_equal(found.numpy()[:, certain], 0)
    assert np.isfinite(found).all()
    assert np.isfinite(tape.gradient(found, raw)).all()
    assert np.isfinite(likelihood.point(w, raw.numpy())).all()
    drawn = likelihood.sample(w, raw.numpy(), np.random.default_rng(0))
    assert (np.floor(drawn)[:, certain] == 0).all()
    assert likelihood.features(w, x, x + 1).shape == (2, likelihood.n_features(size))


def test_a_likelihood_with_slots_that_gives_none_is_told():
    class Slotted(Gaussian):
        has_slots = True

    with pytest.raises(NotImplementedError, match="Slotted has slots, but its placement"):
        Slotted().placement(np.arange(9.0))


def test_draws_of_a_poisson_stay_within_what_it_supports():
    w = {"log_mean": np.float32([16.0, 0.0]), "center": np.zeros(2), "spread": np.ones(2)}
    drawn = Poisson().sample(w, np.full((50, 2), 30.0, np.float32), np.random.default_rng(0))
    assert drawn.max() == 2.0**24
    assert Poisson().supports(drawn).all()
