"""Priors, posteriors and objectives against SciPy and against each other."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.mixture import GaussianMixture

from skvae import VAETransformer, posteriors, priors
from skvae._component import known
from skvae.model._network import Q
from skvae.objectives import ELBO, IWAE, Capacity, FreeBits
from skvae.posteriors import Gaussian
from skvae.priors import Mixture, Normal
from skvae.priors._components import chosen

RNG = np.random.default_rng(0)
RAW = RNG.normal(size=(5, 6)).astype(np.float32)  # five rows, three latent dimensions
MEAN, LOG_SCALE = (np.asarray(part) for part in Gaussian().moments({}, RAW))


every_prior = pytest.mark.parametrize(
    "prior", [cls() for cls in known(priors.Prior, priors).values()], ids=repr
)
every_posterior = pytest.mark.parametrize(
    "posterior", [cls() for cls in known(posteriors.Posterior, posteriors).values()], ids=repr
)
ENCODER = Q(  # of two features that are the mean, with a scale of one half
    lambda features: np.concatenate(
        [features, np.full(features.shape, np.log(0.5), np.float32)], axis=-1
    ),
    lambda raw, noise: Gaussian().sample({}, raw, noise),
    lambda raw, z: Gaussian().log_prob({}, raw, z),
)


def moved(weights):
    """Weights that training might have led to."""
    rng = np.random.default_rng(0)
    return keras.tree.map_structure(
        lambda a: (a + 0.05 * rng.normal(size=a.shape)).astype(np.float32), weights
    )


def weights_of(prior, latent_dim=2):
    rng = np.random.default_rng(0)
    if prior.in_training != prior:
        return prior.fitted(2 * rng.standard_normal((5000, latent_dim), np.float32), seed=0)
    return moved(prior.init(latent_dim, rng, 2 * rng.standard_normal((50, latent_dim), np.float32)))


def grid(n=300, end=14.0):
    axis = np.linspace(-end, end, n, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1), (axis[1] - axis[0]) ** 2


def assert_draws_follow(drawn, z, p):
    """Means of some functions over draws are those over the density on a grid."""
    functions = [
        lambda z: z[..., 0],
        lambda z: z[..., 1] ** 2,
        lambda z: z[..., 0] * z[..., 1],
        lambda z: abs(z[..., 0]),
    ]
    for function in functions:
        values = function(drawn)
        assert (
            abs(values.mean() - (p * function(z)).sum())
            < 4 * values.std() / len(values) ** 0.5 + 2e-3
        )


@every_prior
def test_a_prior_is_a_density_and_its_draws_follow_it(prior):
    w = weights_of(prior)
    z, area = grid()
    p = np.exp(prior.log_prob(w, z, ENCODER)) * area
    assert p.sum() == pytest.approx(1, abs=5e-3)
    drawn = prior.sample(
        w, np.random.default_rng(1).standard_normal((200_000, 2), np.float32), ENCODER
    )
    assert drawn.dtype == np.float32
    assert_draws_follow(drawn, z, p)


@every_prior
def test_log_prob_of_a_prior_has_finite_gradients_far_away(prior):
    import tensorflow as tf

    w = keras.tree.map_structure(tf.constant, weights_of(prior))
    z = tf.constant([[0.0, 0.0], [100.0, -100.0], [1e4, 0.0]])
    encoder = ENCODER._replace(encode=lambda features: tf.concat([features, 0 * features], axis=-1))
    with tf.GradientTape() as tape:
        tape.watch([z, w])
        log_prob = tf.reduce_sum(prior.log_prob(w, z, encoder))
    for gradient in keras.tree.flatten(tape.gradient(log_prob, [z, w])):
        assert np.isfinite(gradient).all()


@every_prior
def test_one_latent_dimension_is_enough_for_any_prior(prior):
    w = weights_of(prior, latent_dim=1)
    z = np.linspace(-15, 15, 2000, dtype=np.float32)[:, None]
    assert np.exp(prior.log_prob(w, z, ENCODER)).sum() * (z[1] - z[0]) == pytest.approx(1, abs=1e-3)
    assert prior.sample(w, np.zeros((3, 1), np.float32), ENCODER).shape == (3, 1)


def raw_of(posterior, rows=5, latent_dim=2):
    return (
        np.random.default_rng(3).normal(size=(rows, posterior.n_raw(latent_dim))).astype(np.float32)
    )


@every_posterior
def test_a_posterior_is_a_density_and_its_draws_follow_it(posterior):
    w, raw = moved(posterior.init(2, np.random.default_rng(0))), raw_of(posterior, rows=1)
    z, area = grid()
    p = np.exp(posterior.log_prob(w, raw[0], z)) * area
    assert p.sum() == pytest.approx(1, abs=5e-3)
    drawn, _ = posterior.sample(
        w, raw, np.random.default_rng(1).standard_normal((200_000, 1, 2), np.float32)
    )
    assert_draws_follow(np.asarray(drawn)[:, 0], z, p)
    np.testing.assert_allclose(
        posterior.mean(w, raw)[0], (p[..., None] * z).sum(axis=(0, 1)), atol=0.05
    )


@every_posterior
def test_a_posterior_knows_the_density_of_its_own_draws(posterior):
    w, raw = moved(posterior.init(3, np.random.default_rng(0))), raw_of(posterior, latent_dim=3)
    z, log_q = posterior.sample(w, raw, RNG.standard_normal((7, 5, 3), np.float32))
    np.testing.assert_allclose(posterior.log_prob(w, raw, z), log_q, rtol=1e-4, atol=1e-4)
    pairs = posterior.log_prob(w, raw, np.asarray(z)[..., None, :])  # each point under each row
    np.testing.assert_allclose(
        np.asarray(pairs)[:, range(5), range(5)], log_q, rtol=1e-4, atol=1e-4
    )


@every_posterior
def test_a_posterior_stays_finite_at_extreme_raw_values(posterior):
    for extreme in (1e6, -1e6):
        raw = np.full((1, posterior.n_raw(3)), extreme, np.float32)
        z, log_q = posterior.sample(
            posterior.init(3, np.random.default_rng(0)), raw, np.ones((1, 1, 3), np.float32)
        )
        assert np.isfinite(z).all()
        assert np.isfinite(log_q).all()


@every_posterior
def test_one_latent_dimension_is_enough_for_any_posterior(posterior):
    w, raw = posterior.init(1, np.random.default_rng(0)), raw_of(posterior, latent_dim=1)
    z, log_q = posterior.sample(w, raw, np.ones((2, 5, 1), np.float32))
    assert z.shape == (2, 5, 1)
    np.testing.assert_allclose(posterior.log_prob(w, raw, z), log_q, rtol=1e-4, atol=1e-5)


def test_the_default_prior_is_scipys_normal():
    z = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        Normal().log_prob({}, z, None), stats.norm.logpdf(z).sum(-1), rtol=1e-5
    )


def test_the_full_covariance_is_scipys():
    posterior, raw = (
        posteriors.FullGaussian(),
        raw_of(posteriors.FullGaussian(), rows=1, latent_dim=3)[0],
    )
    mean, factor = raw[:3], np.zeros((3, 3))
    factor[np.tril_indices(3, -1)] = raw[6:]
    factor[np.diag_indices(3)] = np.exp(Gaussian().moments({}, raw[:6])[1])
    z = RNG.normal(size=(10, 3)).astype(np.float32)
    expected = stats.multivariate_normal(mean, factor @ factor.T).logpdf(z)
    np.testing.assert_allclose(posterior.log_prob({}, raw, z), expected, rtol=1e-4, atol=1e-4)


def test_choosing_a_component_leaves_noise_as_it_was():
    logits = np.log([0.5, 0.2, 0.0001, 0.2999])
    k, left = chosen(logits, np.random.default_rng(0).standard_normal((200_000, 2), np.float32))
    np.testing.assert_allclose(np.bincount(k, minlength=4) / len(k), np.exp(logits), atol=0.005)
    for component in (0, 1, 3):
        assert stats.kstest(left[k == component, 0], "norm").pvalue > 1e-3
    assert np.isfinite(left).all()


def test_a_mixture_of_one_component_is_scipys_normal():
    z = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    w = {
        "logits": np.zeros(1, "f4"),
        "mean": np.full((1, 3), 2, "f4"),
        "log_scale": np.full((1, 3), 0.5, "f4"),
    }
    scale = np.exp(-3 + np.logaddexp(3.5, 0))
    np.testing.assert_allclose(
        Mixture(1).log_prob(w, z, None), stats.norm(2, scale).logpdf(z).sum(-1), rtol=1e-4
    )


def groups():
    rng = np.random.default_rng(0)
    return 4.0 * rng.integers(0, 3, (1500, 1)) + 0.3 * rng.normal(size=(1500, 4))


def grouped(prior):
    settings = {"hidden_layer_sizes": 32, "max_iter": 60, "learning_rate": 0.005}
    return VAETransformer(2, prior=prior, likelihood="gaussian", random_state=0, **settings)


def between_groups(prior):
    """Models with a prior, models with the normal one, and the ratio of draws between groups.

    It is the median of three seeds: one mixture may end in a poor optimum.
    """
    X, pairs, ratios = groups(), [], []
    for seed in range(3):
        pair = [grouped(each).set_params(random_state=seed).fit(X) for each in (prior, "normal")]
        own, normal = (
            (abs(vae.sample(4000, random_state=0)[:, 0] % 4 - 2) < 0.7).mean() for vae in pair
        )
        pairs.append(pair)
        ratios.append(own / normal)
    return pairs, np.median(ratios)


def test_a_mixture_finds_groups_that_one_normal_blurs():
    pairs, ratio = between_groups(Mixture(5))
    assert all(mixture.score(groups()) > normal.score(groups()) for mixture, normal in pairs)
    assert ratio < 0.5


def test_the_closed_form_kl_is_its_monte_carlo_estimate():
    noise = RNG.standard_normal((200_000, 5, 3)).astype(np.float32)
    z, log_q = Gaussian().sample({}, RAW, noise)
    log_ratio = np.asarray(log_q) - np.asarray(Normal().log_prob({}, z, None))
    closed_form = np.sum(Normal().kl({}, (MEAN, LOG_SCALE)), axis=-1)
    error = log_ratio.std(axis=0) / len(noise) ** 0.5
    assert (abs(log_ratio.mean(axis=0) - closed_form) < 4 * error + 1e-4).all()


def test_a_prior_without_a_closed_form_says_none():
    assert Normal().kl({}, None) is None


def test_no_raw_value_makes_the_posterior_much_wider_than_the_prior():
    log_scale = Gaussian().moments(
        {}, np.array([[0.0, -2.0], [0.0, 0.0], [0.0, 50.0]], np.float32)
    )[1]
    np.testing.assert_allclose(log_scale[:2, 0], [-2, 0], atol=0.1)
    assert log_scale[2, 0] <= 3


def test_the_elbo_is_the_mean_log_likelihood_less_beta_times_kl():
    log_lik, kl = RNG.normal(size=(4, 5)), RNG.random((1, 5, 3))
    loss = ELBO().loss(log_lik, kl, 0.5)
    np.testing.assert_allclose(loss, 0.5 * kl[0].sum(-1) - log_lik.mean(0), rtol=1e-6)


def test_the_importance_weighted_bound_is_the_log_mean_of_weights_and_with_one_draw_the_elbo():
    rng = np.random.default_rng(0)
    log_lik, kl = rng.normal(size=(7, 5)).astype("f4"), rng.normal(size=(7, 5, 1)).astype("f4")
    log_mean = np.log(np.exp(log_lik - 2 * kl[..., 0]).mean(axis=0))
    np.testing.assert_allclose(IWAE().loss(log_lik, kl, 2.0), -log_mean, rtol=1e-5)
    one = log_lik[:1], kl[:1], 2.0
    np.testing.assert_allclose(IWAE().loss(*one), ELBO().loss(*one), rtol=1e-5)


def test_capacity_counts_the_distance_of_the_mean_kl_from_what_is_open_of_it():
    log_lik, kl = RNG.normal(size=(4, 5)).astype("f4"), RNG.random((1, 5, 3)).astype("f4")
    loss = Capacity(nats=4.0, weight=10.0).loss(log_lik, kl, 0.5)
    np.testing.assert_allclose(loss, 10 * abs(kl.sum(-1).mean() - 2) - log_lik.mean(0), rtol=1e-5)


def test_free_bits_count_from_their_floor_on():
    log_lik = np.zeros((1, 2), "f4")
    kl = np.array([[[0.1, 2.0, 0.0], [0.1, 4.0, 1.0]]], "f4")  # means .1, 3 and .5
    np.testing.assert_allclose(FreeBits(nats=0.5).loss(log_lik, kl, 2.0), [8.0, 8.0], rtol=1e-6)


FACTORS = np.random.default_rng(0).normal(size=(2000, 2)) @ np.random.default_rng(1).normal(
    size=(2, 8)
)
FACTORS = FACTORS + 0.3 * np.random.default_rng(2).normal(size=FACTORS.shape)


def trained(**settings):
    settings = {
        "latent_dim": 4,
        "hidden_layer_sizes": 32,
        "max_iter": 60,
        "random_state": 0,
    } | settings
    return VAETransformer(**settings).fit(FACTORS)


@pytest.mark.parametrize(("nats", "weight"), [(1.0, 10.0), (8.0, 10.0), (1.0, 100.0), (8.0, 100.0)])
def test_capacity_brings_the_kl_to_it(nats, weight):
    assert trained(objective=Capacity(nats, weight)).latent_kl_.sum() == pytest.approx(
        nats, rel=0.2
    )


def test_free_bits_keep_every_dimension_in_use():
    assert trained().latent_kl_.min() < 0.1
    assert trained(objective=FreeBits(0.5)).latent_kl_.min() > 0.45


def test_free_bits_want_a_closed_form():
    with pytest.raises(
        ValueError, match="needs a KL term of each latent dimension, but prior=Mixture"
    ):
        trained(objective="free_bits", prior="mixture")


def mixed_table(n=200):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, n)
    frame = pd.DataFrame(
        {"a": group + rng.normal(size=n), "b": np.array(["x", "y", "z"])[group], "c": group * 2}
    )
    return frame.mask(rng.random(frame.shape) < 0.1).astype({"c": "Int64"})


ELSEWHERE = {"normal", "gaussian", "flow", "full_gaussian"}  # in all tests, or in the last two


@pytest.mark.parametrize(
    "parts",
    [
        *(
            pytest.param(parts, marks=pytest.mark.slow) if ELSEWHERE & {*parts.values()} else parts
            for parts in (
                *({"prior": name} for name in known(priors.Prior, priors)),
                *({"posterior": name} for name in known(posteriors.Posterior, posteriors)),
            )
        ),
        pytest.param({"prior": "vamp", "posterior": "flow"}, marks=pytest.mark.slow),
        {"prior": "flow", "posterior": "full_gaussian", "objective": "iwae", "n_draws": 3},
    ],
    ids=str,
)
def test_any_prior_and_posterior_serve_every_use(parts):
    X = mixed_table()
    vae = VAETransformer(2, hidden_layer_sizes=8, max_iter=3, random_state=0, **parts).fit(X)
    assert vae.transform(X).shape == (200, 2)
    assert vae.sample(30, random_state=0).notna().all(axis=None)
    assert (vae.sample(30, random_state=0, given={"b": "y"})["b"] == "y").all()
    assert vae.impute(X).notna().all(axis=None)
    scores = vae.score_samples(X, n_draws=16)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(vae)).score_samples(X, n_draws=16), scores
    )
    np.testing.assert_array_equal(vae.score_samples(X[:7], n_draws=16), scores[:7])


def fitted_to_a_correlated_normal(posterior, correlation=0.9, steps=600):
    """The best KL(q || p) that training of one row's q reaches."""
    import tensorflow as tf

    w = keras.tree.map_structure(tf.Variable, posterior.init(2, np.random.default_rng(0)))
    raw = tf.Variable(np.zeros((1, posterior.n_raw(2)), np.float32))
    precision = np.linalg.inv([[1, correlation], [correlation, 1]]).astype(np.float32)
    log_determinant = np.log(1 - correlation**2)
    optimizer = keras.optimizers.Adam(0.02)

    @tf.function
    def kl(noise):
        z, log_q = posterior.sample(w, raw, noise)
        square = tf.einsum("nri,ij,nrj->nr", z, precision, z)
        return tf.reduce_mean(log_q + 0.5 * (square + log_determinant) + np.log(2 * np.pi))

    @tf.function
    def step(noise):
        with tf.GradientTape() as tape:
            loss = kl(noise)
        variables = [raw, *keras.tree.flatten(w)]
        optimizer.apply(tape.gradient(loss, variables), variables)

    optimizer.build([raw, *keras.tree.flatten(w)])
    rng = np.random.default_rng(0)
    for _ in range(steps):
        step(rng.standard_normal((256, 1, 2), np.float32))
    return float(kl(rng.standard_normal((100_000, 1, 2), np.float32)))


def test_richer_posteriors_reach_a_correlated_target_that_the_diagonal_one_cannot():
    diagonal = -0.5 * np.log(1 - 0.9**2)
    assert fitted_to_a_correlated_normal(Gaussian()) == pytest.approx(diagonal, abs=0.03)
    assert fitted_to_a_correlated_normal(posteriors.FullGaussian()) == pytest.approx(0, abs=0.02)
    assert fitted_to_a_correlated_normal(posteriors.Flow()) == pytest.approx(0, abs=0.03)


def test_a_vamp_prior_raises_the_bound_on_groups():
    vamp, normal = (
        grouped(prior).fit(groups()).score(groups()) for prior in (priors.Vamp(10), "normal")
    )
    assert vamp > normal


def test_a_fitted_prior_raises_the_bound_on_groups_and_leaves_the_latent_space_as_it_is():
    pairs, ratio = between_groups(priors.Fitted(5))
    for fitted, normal in pairs:
        assert fitted.score(groups()) > normal.score(groups())
        np.testing.assert_array_equal(fitted.transform(groups()), normal.transform(groups()))
    assert ratio < 0.5


def test_a_fitted_prior_is_the_mixture_of_scikit_learn():
    z = (
        np.random.default_rng(0).normal(size=(500, 3))
        @ np.random.default_rng(1).normal(size=(3, 3))
        + 1
    )
    w = priors.Fitted(4).fitted(z, seed=0)
    mixture = GaussianMixture(4, reg_covar=1e-4, random_state=0).fit(z)
    points = mixture.sample(10)[0].astype(np.float32)
    np.testing.assert_allclose(
        priors.Fitted(4).log_prob(w, points, None), mixture.score_samples(points), atol=1e-3
    )


def test_a_fitted_prior_may_have_more_components_than_rows():
    z = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    p, area = grid(600, 5.0)
    w = priors.Fitted(20).fitted(z, seed=0)
    assert w["mean"].shape == (20, 2)
    assert (np.exp(priors.Fitted(20).log_prob(w, p, None)) * area).sum() == pytest.approx(
        1, abs=0.02
    )


def test_training_goes_on_under_the_normal_prior_behind_a_fitted_one():
    settings = {"max_iter": 5, "warm_start": True, "random_state": 0}
    fitted, normal = (
        grouped(prior).set_params(**settings) for prior in (priors.Fitted(5), "normal")
    )
    for _ in range(2):
        fitted.fit(groups()), normal.fit(groups())
    np.testing.assert_allclose(fitted.history_["loss"], normal.history_["loss"])
    assert fitted.n_iter_ == 10 and fitted.prior_ == priors.Fitted(5)


def test_one_row_is_enough_for_a_fitted_prior():
    assert np.isfinite(
        grouped("fitted").set_params(max_iter=2).fit(groups()[:1]).score(groups()[:1])
    )


def test_free_bits_and_a_fitted_prior_go_together():
    assert np.isfinite(trained(objective=FreeBits(0.5), prior="fitted", max_iter=3).score(FACTORS))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"prior": "vamp"}, marks=pytest.mark.slow),
        {"posterior": "full_gaussian"},
        pytest.param({"posterior": "flow"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_few_draws_are_enough_for_rows_with_holes(parts):
    H = np.where(np.random.default_rng(3).random(FACTORS.shape) < 0.1, np.nan, FACTORS)[:200]
    vae = trained(**parts)
    assert vae.score_samples(H).mean() == pytest.approx(
        vae.score_samples(H, n_draws=2048).mean(), abs=0.15
    )
