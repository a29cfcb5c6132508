from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits, load_iris

from skvae import VAETransformer, inference
from skvae.inference._noise import RowRandom, Spread, row_shifts, sampled
from skvae.table import checked

IRIS, DIGITS = load_iris().data, load_digits().data[:300]


@pytest.fixture(scope="module", params=[IRIS, DIGITS], ids=["iris", "digits"])
def fitted(request):
    X = request.param
    return VAETransformer(3, max_iter=5, random_state=0).fit(X), X


@pytest.mark.parametrize("method", ["transform", "score_samples"])
def test_a_row_gives_the_same_bits_alone_shuffled_or_among_thousands(fitted, method):
    vae, X = fitted
    give = getattr(vae, method)
    together = give(X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(give(X[order]), together[order])
    np.testing.assert_array_equal(
        np.concatenate([give(X[i : i + 1]) for i in range(40)]), together[:40]
    )
    many = give(np.resize(X, (3000, X.shape[1])))
    np.testing.assert_array_equal(many[: len(X)], together)
    np.testing.assert_array_equal(many[len(X) : 2 * len(X)], together)


@pytest.mark.parametrize("n_draws", [1, 5, 48, 100, 997])
def test_scores_of_any_number_of_draws_are_the_same_bits_in_any_order_of_rows(fitted, n_draws):
    vae, X = fitted
    holed = np.where(np.random.default_rng(1).random(X.shape) < 0.01, np.nan, X)
    order = np.random.default_rng(0).permutation(len(X))
    for rows in (X, holed):
        np.testing.assert_array_equal(
            vae.score_samples(rows[order], n_draws), vae.score_samples(rows, n_draws)[order]
        )


def test_a_row_gives_the_same_bits_in_any_memory_order_and_beside_rows_with_holes(fitted):
    vae, X = fitted
    holed = np.vstack([X[:50], np.full_like(X[:1], np.nan)])
    for give in (vae.transform, vae.score_samples):
        np.testing.assert_array_equal(give(np.asfortranarray(holed))[:50], give(X[:50]))


def test_the_elbo_of_many_rows_rests_on_some_of_them():
    X = np.random.default_rng(0).normal(size=(20_000, 2)) * [1.0, 1e-3]
    vae = VAETransformer(1, hidden_layer_sizes=(), max_iter=2, random_state=0).fit(X)
    x, offset, *_ = vae._codec.encode(checked(vae, X, reset=False))
    of_all = inference.lower_bound(vae._model, x, 1)[0] + offset.mean()
    assert vae.lower_bound_ == pytest.approx(of_all, abs=0.05)


def test_changing_a_learned_component_changes_no_model():
    from skvae.likelihoods import StudentT

    X = np.random.default_rng(0).standard_t(3, size=(60, 2))
    vae = VAETransformer(
        1, likelihood=StudentT(df=4), hidden_layer_sizes=4, max_iter=2, random_state=0
    )
    before = vae.fit(X).transform(X)
    vae.likelihood_[0].set_params(df=30)
    other = VAETransformer(
        1, likelihood=StudentT(df=30), hidden_layer_sizes=4, max_iter=2, random_state=0
    ).fit(X)
    assert abs(other.transform(X) - before).max() > 0
    np.testing.assert_array_equal(vae.fit(X).transform(X), before)


def test_scores_and_transform_do_not_depend_on_random_state(fitted):
    vae, X = fitted
    before = vae.transform(X), vae.score_samples(X)
    vae.set_params(random_state=99)
    np.testing.assert_array_equal(vae.transform(X), before[0])
    np.testing.assert_array_equal(vae.score_samples(X), before[1])


def test_the_bound_rises_with_draws_from_the_elbo_towards_log_p(fitted):
    vae, X = fitted
    bounds = [vae.score_samples(X, n_draws).mean() for n_draws in (1, 8, 128, 1000)]
    assert (np.diff(bounds) > -0.1).all()  # up to the error of their means
    assert bounds[0] < bounds[-1]


def test_one_draw_gives_the_lower_bound_up_to_noise():
    X = (
        IRIS[np.random.default_rng(0).integers(0, len(IRIS), 2000)]
        + np.random.default_rng(0).normal(size=(2000, 4)) / 10
    )
    vae = VAETransformer(early_stopping=False, max_iter=5, random_state=0).fit(X)
    assert vae.score_samples(X, n_draws=1).mean() == pytest.approx(vae.lower_bound_, abs=0.05)


def test_reading_a_model_leaves_it_unchanged(fitted):
    vae, X = fitted
    before = dict(vars(vae))
    vae.transform(X), vae.score(X), vae.sample(3), vae.sample_latent(X), vae.posterior_predictive(X)
    assert vars(vae) == before


def test_numpy_integers_are_counts(fitted):
    vae, X = fitted
    assert np.isfinite(vae.score_samples(X, n_draws=np.int64(4))).all()


def test_row_shifts_are_uniform_and_differ_between_rows_and_dimensions():
    x = np.random.default_rng(0).normal(size=(20_000, 5)).astype(np.float32)
    shifts = row_shifts(x, 3)
    assert shifts.min() >= 0
    assert shifts.max() < 1
    np.testing.assert_allclose(shifts.mean(axis=0), 0.5, atol=0.01)
    np.testing.assert_allclose(np.cov(shifts.T), np.eye(3) / 12, atol=0.002)
    assert len(np.unique(shifts[:, 0])) > 19_900
    nearby = np.nextafter(x, np.float32(np.inf))
    assert abs(np.corrcoef(shifts[:, 0], row_shifts(nearby, 3)[:, 0])[0, 1]) < 0.05


def test_minus_zero_is_zero():
    zeros = np.zeros((1, 4), np.float32)
    np.testing.assert_array_equal(row_shifts(zeros, 2), row_shifts(-zeros, 2))


@pytest.mark.parametrize("X", [IRIS, DIGITS], ids=["iris", "digits"])
def test_keras_models_give_what_transform_and_inverse_transform_give(X):
    vae = VAETransformer(3, likelihood="gaussian", max_iter=5, random_state=0).fit(X)
    x = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    z = vae.transform(X)
    np.testing.assert_allclose(vae.encoder_(x.astype(np.float32))[:, :3], z, atol=1e-4)
    decoded = np.asarray(vae.decoder_(z.astype(np.float32))) * X.std(axis=0) + X.mean(axis=0)
    np.testing.assert_allclose(decoded, vae.inverse_transform(z), atol=1e-3)


def test_random_numbers_of_rows_are_even_and_their_own():
    seeds, which = np.repeat(np.arange(2000, dtype=np.uint64), 4), np.tile(np.arange(4), 2000)
    numbers = RowRandom(seeds, which)
    found = np.hstack([numbers.random((8000, 1)), numbers.uniform(0.0, 1.0, (8000, 2))])
    assert stats.kstest(found.ravel(), "uniform").pvalue > 0.01
    assert np.abs(np.corrcoef(found.T) - np.eye(3)).max() < 0.05
    by_sequence = found[:, 0].reshape(2000, 4)
    assert np.abs(np.corrcoef(by_sequence.T) - np.eye(4)).max() < 0.1
    assert len(np.unique(found)) == found.size
    some = RowRandom(seeds[70:75], which[70:75]).random((5, 1))
    np.testing.assert_array_equal(some, found[70:75, :1])


DRAWN = {
    "standard_normal": ((), stats.norm()),
    "normal": ((2.0, 3.0), stats.norm(2, 3)),
    "laplace": ((2.0, 3.0), stats.laplace(2, 3)),
    "standard_t": ((3.0,), stats.t(3)),
    "gamma": ((0.7, 2.0), stats.gamma(0.7, scale=2)),
    "beta": ((0.7, 2.0), stats.beta(0.7, 2)),
    "uniform": ((2.0, 3.0), stats.uniform(2, 1)),
    "random": ((), stats.uniform()),
    "exponential": ((3.0,), stats.expon(scale=3)),
    "gumbel": ((2.0, 3.0), stats.gumbel_r(2, 3)),
}


BY_ROW = [(RowRandom, (24,)), (Spread, (8, 3))]


@pytest.mark.parametrize(("kind", "own"), BY_ROW)
@pytest.mark.parametrize("name", DRAWN)
def test_random_numbers_of_rows_have_their_distribution(name, kind, own):
    arguments, distribution = DRAWN[name]
    seeds = np.random.default_rng(0).integers(2**63, size=500, dtype=np.uint64)
    draws = getattr(kind(seeds), name)(*arguments, size=(500, *own))
    assert stats.kstest(draws.ravel(), distribution.cdf).pvalue > 1e-3
    alone = getattr(kind(seeds[70:71]), name)(*arguments, size=(1, *own))
    np.testing.assert_array_equal(alone, draws[70:71])


@pytest.mark.parametrize(("kind", "own"), BY_ROW)
@pytest.mark.parametrize("name", DRAWN)
def test_random_numbers_of_rows_are_asked_for_as_numpy_has_it(name, kind, own):
    seeds, shape = np.arange(5, dtype=np.uint64), (5, *own)
    arguments = DRAWN[name][0]
    first = getattr(kind(seeds), name)(*arguments, size=shape)
    np.testing.assert_array_equal(getattr(kind(seeds), name)(*arguments, list(shape)), first)
    if arguments:
        broadcast = [value * np.ones(shape) for value in arguments]
        np.testing.assert_array_equal(getattr(kind(seeds), name)(*broadcast), first)
    required = {"standard_t": (3.0,), "gamma": (0.7,), "beta": (0.7, 2.0)}.get(name, ())
    for rng in (kind(seeds), np.random.default_rng(0)):
        assert getattr(rng, name)(*required, size=shape).shape == shape


ODD = {
    "no number of its own": lambda raw, rng: raw + rng.normal(),
    "of columns alone": lambda raw, rng: raw + rng.normal(size=raw.shape[1:]),
    "in one row of numbers": lambda raw, rng: raw + rng.random(raw.size).reshape(raw.shape),
    "weibull": lambda raw, rng: raw + rng.weibull(2.0, raw.shape),
    "choice": lambda raw, rng: rng.choice([-1.0, 1.0], raw.shape),
    "given a place": lambda raw, rng: rng.random(out=np.empty(raw.shape)),
    "in single precision": lambda raw, rng: rng.random(raw.shape, dtype=np.float32),
    "SciPy's": lambda raw, rng: stats.rice.rvs(1.0, size=raw.shape, random_state=rng),
    "bits": lambda raw, rng: np.random.Generator(rng.bit_generator).normal(raw),
}


@pytest.mark.parametrize(("kind", "own"), BY_ROW)
@pytest.mark.parametrize("how", ODD)
def test_whatever_a_likelihood_draws_is_of_each_row_alone(how, kind, own):
    likelihood = SimpleNamespace(sample=lambda w, raw, rng: ODD[how](raw, rng))
    seeds, raw = np.arange(40, dtype=np.uint64), np.zeros((40, *own))
    rng = kind(seeds)
    first, second = (sampled(likelihood, {}, raw, rng) for _ in range(2))
    alone = sampled(likelihood, {}, raw[7:8], kind(seeds[7:8]))
    np.testing.assert_array_equal(alone, first[7:8])
    assert len(np.unique(first.reshape(40, -1)[:, 0])) == (2 if how == "choice" else 40)
    assert (first != second).reshape(40, -1).any(axis=1).all()


def test_what_a_likelihood_gets_wrong_is_still_said():
    likelihood = SimpleNamespace(sample=lambda w, raw, rng: raw + "1")
    with pytest.raises(TypeError):
        sampled(likelihood, {}, np.zeros((3, 2)), RowRandom(np.arange(3, dtype=np.uint64)))


def test_counts_of_rows_are_poisson():
    rate = np.repeat([[0.0, 0.5, 7.0]], 20_000, axis=0)
    draws = RowRandom(np.arange(20_000, dtype=np.uint64)).poisson(rate)
    assert (draws[:, 0] == 0).all()
    for j in (1, 2):
        share = np.bincount(draws[:, j].astype(int))[:5] / 20_000
        np.testing.assert_allclose(share, stats.poisson(rate[0, j]).pmf(range(5)), atol=0.015)


def test_spread_numbers_fill_each_share_of_a_row_once():
    draws = Spread(np.arange(50, dtype=np.uint64)).random((50, 8, 2))
    assert (np.sort(np.floor(8 * draws), axis=1) == np.arange(8)[:, None]).all()
    assert len(np.unique(draws[:, 0])) == 100
