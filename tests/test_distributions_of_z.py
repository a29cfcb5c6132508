"""Priors, posteriors and objectives against SciPy and against each other."""

import keras
import numpy as np
import pytest
from scipy import stats

from skvae import VAETransformer, priors
from skvae._component import known
from skvae.objectives import ELBO, IWAE, Capacity, FreeBits
from skvae.posteriors import Gaussian
from skvae.priors import Mixture, Normal

RNG = np.random.default_rng(0)
RAW = RNG.normal(size=(5, 6)).astype(np.float32)  # five rows, three latent dimensions
MEAN, LOG_SCALE = (np.asarray(part) for part in Gaussian().moments({}, RAW))


every_prior = pytest.mark.parametrize("prior", [cls() for cls in known(priors.Prior, priors).values()], ids=repr)


def weights_of(prior, latent_dim=2):
    """Its first weights, moved at random."""
    rng = np.random.default_rng(0)
    moved = {name: a + 0.5 * rng.normal(size=a.shape) for name, a in prior.init(latent_dim, rng).items()}
    return {name: a.astype(np.float32) for name, a in moved.items()}


def grid(n=400, end=12.0):
    axis = np.linspace(-end, end, n, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1), (axis[1] - axis[0]) ** 2


@every_prior
def test_a_prior_is_a_density(prior):
    z, area = grid()
    assert np.exp(prior.log_prob(weights_of(prior), z)).sum() * area == pytest.approx(1, abs=1e-3)


@every_prior
def test_draws_of_a_prior_follow_its_density(prior):
    w, n = weights_of(prior), 200_000
    drawn = prior.sample(w, np.random.default_rng(1).standard_normal((n, 2), np.float32))
    assert drawn.dtype == np.float32
    z, area = grid()
    p = np.exp(prior.log_prob(w, z)) * area
    statistics = [
        lambda z: z[..., 0],
        lambda z: z[..., 1] ** 2,
        lambda z: z[..., 0] * z[..., 1],
        lambda z: abs(z[..., 0]),
    ]
    for statistic in statistics:
        values = statistic(drawn)
        assert abs(values.mean() - (p * statistic(z)).sum()) < 4 * values.std() / n**0.5 + 2e-3


@every_prior
def test_log_prob_of_a_prior_has_finite_gradients_far_away(prior):
    import tensorflow as tf

    w = {name: tf.constant(a) for name, a in weights_of(prior).items()}
    z = tf.constant([[0.0, 0.0], [100.0, -100.0], [1e4, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch([z, w])
        log_prob = tf.reduce_sum(prior.log_prob(w, z))
    for gradient in keras.tree.flatten(tape.gradient(log_prob, [z, w])):
        assert np.isfinite(gradient).all()


def test_the_default_prior_is_scipys_normal():
    z = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(Normal().log_prob({}, z), stats.norm.logpdf(z).sum(-1), rtol=1e-5)


def test_a_mixture_of_one_component_is_scipys_normal():
    z = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    w = {"logits": np.zeros(1, "f4"), "mean": np.full((1, 3), 2, "f4"), "log_scale": np.full((1, 3), 0.5, "f4")}
    scale = np.exp(-3 + np.logaddexp(3.5, 0))
    np.testing.assert_allclose(Mixture(1).log_prob(w, z), stats.norm(2, scale).logpdf(z).sum(-1), rtol=1e-4)


def test_a_mixture_finds_groups_that_one_normal_blurs():
    rng = np.random.default_rng(0)
    X = 4.0 * rng.integers(0, 3, (1500, 1)) + 0.3 * rng.normal(size=(1500, 4))
    settings = {"latent_dim": 2, "hidden_layer_sizes": 32, "max_iter": 60, "learning_rate": 0.005, "random_state": 0}
    mixture, normal = (VAETransformer(prior=prior, **settings).fit(X) for prior in (Mixture(5), "normal"))
    assert mixture.score(X) > normal.score(X)
    between = [(abs(vae.sample(4000, random_state=0)[:, 0] % 4 - 2) < 0.7).mean() for vae in (mixture, normal)]
    assert between[0] < 0.5 * between[1]


def test_the_posterior_reports_the_density_of_its_own_samples():
    noise = RNG.standard_normal((7, 5, 3)).astype(np.float32)
    z, log_q = Gaussian().sample({}, RAW, noise)
    expected = stats.norm.logpdf(np.asarray(z), MEAN, np.exp(LOG_SCALE)).sum(-1)
    np.testing.assert_allclose(log_q, expected, rtol=1e-4)


def test_posterior_samples_have_its_moments():
    z, _ = Gaussian().sample({}, RAW, RNG.standard_normal((100_000, 5, 3)).astype(np.float32))
    np.testing.assert_allclose(np.mean(z, axis=0), Gaussian().mean({}, RAW), atol=0.05)
    np.testing.assert_allclose(np.std(z, axis=0), np.exp(LOG_SCALE), rtol=0.02)


def test_the_closed_form_kl_is_its_monte_carlo_estimate():
    noise = RNG.standard_normal((200_000, 5, 3)).astype(np.float32)
    z, log_q = Gaussian().sample({}, RAW, noise)
    log_ratio = np.asarray(log_q) - np.asarray(Normal().log_prob({}, z))
    closed_form = np.sum(Normal().kl({}, (MEAN, LOG_SCALE)), axis=-1)
    error = log_ratio.std(axis=0) / len(noise) ** 0.5
    assert (abs(log_ratio.mean(axis=0) - closed_form) < 4 * error + 1e-4).all()


def test_a_prior_without_a_closed_form_says_none():
    assert Normal().kl({}, None) is None


def test_no_raw_value_makes_the_posterior_much_wider_than_the_prior():
    log_scale = Gaussian().moments({}, np.array([[0.0, -2.0], [0.0, 0.0], [0.0, 50.0]], np.float32))[1]
    np.testing.assert_allclose(log_scale[:2, 0], [-2, 0], atol=0.1)
    assert log_scale[2, 0] <= 3


def test_the_posterior_stays_finite_at_extreme_raw_values():
    raw = np.full((1, 6), 1e6, np.float32)
    z, log_q = Gaussian().sample({}, raw, np.ones((1, 1, 3), np.float32))
    assert np.isfinite(z).all()
    assert np.isfinite(log_q).all()


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


FACTORS = np.random.default_rng(0).normal(size=(2000, 2)) @ np.random.default_rng(1).normal(size=(2, 8))
FACTORS = FACTORS + 0.3 * np.random.default_rng(2).normal(size=FACTORS.shape)


def trained(**settings):
    settings = {"latent_dim": 4, "hidden_layer_sizes": 32, "max_iter": 60, "random_state": 0} | settings
    return VAETransformer(**settings).fit(FACTORS)


@pytest.mark.parametrize("nats", [1.0, 8.0])
def test_capacity_brings_the_kl_to_it(nats):
    assert trained(objective=Capacity(nats)).latent_kl_.sum() == pytest.approx(nats, rel=0.1)


def test_free_bits_keep_every_dimension_in_use():
    assert trained().latent_kl_.min() < 0.1
    assert trained(objective=FreeBits(0.5)).latent_kl_.min() > 0.45


def test_free_bits_want_a_closed_form():
    with pytest.raises(ValueError, match="needs a KL term of each latent dimension, but prior=Mixture"):
        trained(objective="free_bits", prior="mixture")
