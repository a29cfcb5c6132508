"""Priors, posteriors and objectives against SciPy and against each other."""

import numpy as np
from scipy import stats

from skvae.objectives import ELBO, IWAE
from skvae.posteriors import Gaussian
from skvae.priors import Normal

RNG = np.random.default_rng(0)
RAW = RNG.normal(size=(5, 6)).astype(np.float32)  # five rows, three latent dimensions
MEAN, LOG_SCALE = (np.asarray(part) for part in Gaussian().moments({}, RAW))


def test_the_prior_is_scipys_normal():
    z = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(Normal().log_prob({}, z), stats.norm.logpdf(z).sum(-1), rtol=1e-5)


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
