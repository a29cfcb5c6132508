"""The map to normal scores increases, is exactly undone, has its own slope, ignores far values."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest, norm

from skvae import VAETransformer
from skvae.likelihoods import WarpedGaussian
from skvae.likelihoods._base import Column, Size
from skvae.likelihoods._warp import LINEAR, Warp

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=2000)
COLUMNS = {
    "normal": NORMAL,
    "lognormal": RNG.lognormal(sigma=2, size=2000),
    "Student's t with 2 degrees": RNG.standard_t(2, 1000),
    "two modes": np.append(RNG.normal(-5, 1, 500), RNG.normal(5, 0.2, 700)),
    "mostly zeros, and a tail": np.append(np.zeros(1500), RNG.lognormal(1, 1, 500)),
    "one of a thousand differs": np.append(np.zeros(999), 5.0),
    "few values": RNG.choice([-0.1, 0.0, 0.25, 3.0], 500),
    "rounded": NORMAL.round(1),
    "two rows": np.array([4.5, 5.5]),
    "ten rows": RNG.lognormal(size=10),
    "a far typing error": np.append(RNG.lognormal(7, 1, 499), 1e9),
    "huge": 1e300 * NORMAL,
    "tiny": 1e-300 * NORMAL,
    "far from zero": 1.7e9 + NORMAL,
}
pytestmark = pytest.mark.filterwarnings("ignore:The latent points carry")  # of one column, little
each_column = pytest.mark.parametrize("X", COLUMNS.values(), ids=COLUMNS)


def around(X, n=3001):
    """Ascending numbers among the values of a column and beyond both ends."""
    warp = Warp.learn(X)
    low, high = warp.near
    reach = high - low
    return np.unique(np.append(X, np.linspace(low - 3 * reach, high + 3 * reach, n)))


@each_column
def test_larger_values_have_larger_scores(X):
    scores = Warp.learn(X).encode(around(X))[0]
    assert (np.diff(scores) > 0).all()


@each_column
def test_decoding_gives_the_values_back(X):
    warp = Warp.learn(X)
    low, high = warp.near
    np.testing.assert_allclose(
        warp.decode(warp.encode(X)[0]), X, rtol=1e-9, atol=1e-12 * (high - low)
    )


@each_column
def test_scores_have_mean_zero_and_deviation_one(X):
    warp = Warp.learn(X)
    scores = warp.encode(X.clip(*warp.near))[0]
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert scores.std() == pytest.approx(1)


@each_column
def test_the_density_is_one_in_all(X):
    warp = Warp.learn(X)
    low, high = warp.near

    def density(t):  # of a part of the range
        score, log_slope = warp.encode(np.array([low + (high - low) * t]))
        return norm.pdf(score[0]) * np.exp(log_slope[0] + np.log(high - low))

    knots = warp.origin + warp.unit * warp.knots
    parts = (knots - low) / (high - low)
    inside = sum(quad(density, a, b)[0] for a, b in pairwise(parts))
    ends = norm.cdf(warp.scores[0]), norm.sf(warp.scores[-1])
    assert inside + sum(ends) == pytest.approx(1, abs=1e-6)
    for sign, end, tail in zip((-1, 1), warp.near, ends, strict=True):
        steps = np.linspace(np.log(1e-9), np.log(1e12), 20_001)  # logarithms of distances
        with np.errstate(over="ignore"):
            scores, log_slope = warp.encode(end + sign * (high - low) * np.exp(steps))
        log_density = norm.logpdf(scores) + log_slope + np.log(high - low) + steps
        assert np.trapezoid(np.exp(log_density), steps) == pytest.approx(tail, rel=1e-3, abs=1e-6)


def test_a_normal_column_is_standardised():
    X = np.random.default_rng(1).normal(3, 2, 20_000)
    scores, log_slope = Warp.learn(X).encode(np.linspace(-2, 8, 50))
    np.testing.assert_allclose(scores, (np.linspace(-2, 8, 50) - 3) / 2, atol=0.08)
    np.testing.assert_allclose(log_slope, -np.log(2), atol=0.25)


@pytest.mark.parametrize("name", ["lognormal", "Student's t with 2 degrees", "two modes"])
def test_scores_of_other_values_of_a_column_are_normal(name):
    X = np.random.default_rng(2).permutation(COLUMNS[name])
    scores = Warp.learn(X[::2]).encode(X[1::2])[0]
    assert kstest(scores, "norm").statistic < 0.1


def test_few_values_make_a_nearly_linear_map():
    X = np.random.default_rng(3).lognormal(size=LINEAR)
    scores, linear = Warp.learn(X).encode(X)[0], (X - X.mean()) / X.std()
    assert np.corrcoef(scores, linear)[0, 1] > 0.9


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["normal", "lognormal", "two modes", "mostly zeros, and a tail"])
def test_a_few_far_values_hardly_move_the_map(name, sign):
    X = COLUMNS[name]
    clean, dirty = Warp.learn(X), Warp.learn(np.append(X, sign * np.array([3e7, 1e9, 1e12])))
    some = np.quantile(X, [0.05, 0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(dirty.encode(some)[0], clean.encode(some)[0], atol=0.05)
    assert dirty.near == clean.near
    assert clean.near[0] <= dirty.points().min() < dirty.points().max() <= clean.near[1]


def test_scores_and_slopes_are_finite_at_any_distance():
    far = np.array([-1e308, -1e30, -1e9, 1e9, 1e30, 1e308])
    scores, log_slope = Warp.learn(NORMAL).encode(far)
    assert np.isfinite([scores, log_slope]).all()
    assert abs(scores).max() < 60
    log_density = norm.logpdf(scores) + log_slope
    np.testing.assert_allclose(np.diff(log_density[3:]), -2 * np.diff(np.log(far[3:])), rtol=0.01)


@each_column
def test_draws_stay_within_what_was_seen(X):
    drawn = Warp.learn(X).decode(np.array([-1e4, -50.0, -5.0, 0.0, 5.0, 50.0, 1e4]))
    assert X.min() <= drawn.min() <= drawn.max() <= X.max()


@each_column
@pytest.mark.parametrize("min_count", [2, 20])
def test_no_knot_lies_beyond_the_values_of_min_count_rows(X, min_count):
    warp, inner = Warp.learn(X, min_count), np.sort(X)[min_count - 1 : len(X) - min_count + 1]
    if len(X) >= 2 * min_count and inner[0] < inner[-1]:
        assert warp.ends == (inner[0], inner[-1])
        units, knots = (X - warp.origin) / warp.unit, warp.knots[1:-1]
        assert np.histogram(units, [-np.inf, *knots, np.inf])[0].min() >= min_count
    else:
        expected = X.mean() - X.std(), X.mean() + X.std()
        np.testing.assert_allclose(warp.near, expected)
        assert warp.ends[0] == warp.ends[1]


@pytest.mark.parametrize("low", [0.3, 0.0, 5.0])
def test_columns_narrower_than_floats_can_tell_have_a_map(low):
    X = np.full(200, low)
    X[:5] = np.nextafter(low, 10)
    for min_count in (1, 6):
        warp = Warp.learn(X, min_count)
        scores, log_slope = warp.encode(X)
        assert np.isfinite([scores, log_slope]).all()
        assert warp.ends == ((X[-1], X[0]) if min_count == 1 else (low, low))
    assert np.isfinite(VAETransformer(max_iter=1).fit(X[:, None]).score(X[:, None]))


def fitted(X, **parameters):
    settings = {"hidden_layer_sizes": 8, "max_iter": 30, "random_state": 0} | parameters
    return VAETransformer(1, **{"likelihood": WarpedGaussian()} | settings).fit(X)


@pytest.fixture(scope="module")
def claims():
    return np.random.default_rng(5).lognormal(7, 1.2, (500, 1))


@pytest.mark.parametrize("heavy_tails", [False, True])
def test_draws_of_a_skewed_column_with_one_far_value_are_like_the_rest(claims, heavy_tails):
    dirty = claims.copy()
    dirty[3] = 1e9
    with pytest.warns(UserWarning, match="100 deviations or more from all others.*: 0"):
        vae = fitted(dirty, likelihood=WarpedGaussian(heavy_tails=heavy_tails))
    drawn = vae.sample(40_000, random_state=0)
    quartiles = [0.25, 0.5, 0.75]
    np.testing.assert_allclose(
        np.quantile(drawn, quartiles), np.quantile(claims, quartiles), rtol=0.15
    )
    assert (drawn > 0).all()
    assert drawn.mean() == pytest.approx(claims.mean(), rel=0.15)


def test_scores_are_in_the_units_of_X(claims):
    vae = fitted(claims)
    cents = fitted(100 * claims)
    np.testing.assert_allclose(
        cents.score_samples(100 * claims), vae.score_samples(claims) - np.log(100), atol=2e-3
    )


def test_a_filled_cell_is_the_mean_of_draws(claims):
    vae = fitted(np.hstack([claims, claims * RNG.lognormal(0, 0.3, claims.shape)]))
    row = np.array([[np.nan, 3000.0]])
    drawn = [table[0, 0] for table in vae.impute(row, 0, draw=True, n_imputations=400)]
    error = np.std(drawn) / 20
    assert vae.impute(row)[0, 0] == pytest.approx(np.mean(drawn), abs=4 * error)


def test_the_encoder_sees_values_that_are_not_far_and_their_scores():
    X = COLUMNS["a far typing error"]
    warp, likelihood = Warp.learn(X), WarpedGaussian()
    near = X.clip(*warp.near)
    center, scale = near.mean(), near.std()
    column = Column(points=(warp.points() - center) / scale)
    cells = warp.encode(X)[0][:, None].astype(np.float32)
    w = likelihood.constants(cells, [column])
    found = np.asarray(likelihood.features(w, cells, np.ones_like(cells)))
    assert found.shape == (500, likelihood.n_features(Size(1)))
    np.testing.assert_allclose(found[:, 0], (near - center) / scale, rtol=0.02, atol=0.01)
    np.testing.assert_array_equal(found[:, 1], cells[:, 0])


def test_of_values_that_repeat_the_linear_map_counts_most_unless_they_reach_far():
    few = np.repeat([0.0, 1.0, 2.0, 3.0], [500, 100, 100, 300])
    far = np.append(np.zeros(1900), np.geomspace(1, 1e4, 100))
    for X, most, least in ((few, 0.15, 0.0), (far, np.inf, 2.0)):
        scores, linear = Warp.learn(X).encode(X)[0], (X - X.mean()) / X.std()
        assert least < abs(scores - linear).max() < most


@each_column
def test_points_of_a_sharp_and_of_a_wide_decoder_are_means(X):
    warp = Warp.learn(X)
    low, high = warp.near
    values = ((warp.points()[:, None] - low) / (high - low)).astype(np.float32)
    for scale, log_odds in ((0.1, -9.0), (1.0, -9.0), (0.1, 1.0)):
        likelihood = WarpedGaussian(scale, heavy_tails=True)
        w = likelihood.constants(np.zeros((1, 1)), [Column(0, values[:, 0])])
        w |= {"log_odds": np.float32([log_odds]), "log_wide": np.float32([0.0])}
        for mean in (-2.0, 0.0, 1.0):
            raw = np.full((200_000, 1), mean, np.float32)
            drawn = warp.decode(likelihood.sample(w, raw, np.random.default_rng(6)))
            cells = (drawn.clip(low, high) - low) / (high - low)
            found = likelihood.point(w, raw[:1])[0, 0]
            assert found == pytest.approx(cells.mean(), rel=0.02, abs=0.004)


def test_under_heavy_tails_a_value_that_hardly_ever_came_costs_a_few_nats():
    rng, n = np.random.default_rng(0), 1300
    X = np.column_stack([rng.normal(size=(n, 1)) + rng.normal(size=(n, 2)), np.zeros(n)])
    X[:2, 2] = 1.0
    rare, common = X[2:52].copy(), X[2:52]
    rare[:, 2] = 1.0
    vae = VAETransformer(2, likelihood=WarpedGaussian(heavy_tails=True), max_iter=150)
    vae.set_params(early_stopping=False, random_state=0).fit(X)
    assert 3 < (vae.score_samples(common) - vae.score_samples(rare)).mean() < 30
