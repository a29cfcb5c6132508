"""The model against oracles in closed form."""

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from skvae import VAETransformer, likelihoods, objectives, posteriors, priors
from skvae.likelihoods import Gaussian
from skvae.likelihoods._base import Column, Size, padded
from skvae.model import Inference, Joint, Nest, Network, Runs, dense
from skvae.model._runs import Span
from skvae.table import Dense, checked
from skvae.training import untrained

PARTS = {
    "prior": priors.Normal(),
    "posterior": posteriors.Gaussian(),
    "objective": objectives.ELBO(),
}
TABLES = {"iris": load_iris().data, "wine": load_wine().data, "cancer": load_breast_cancer().data}


def linear(seed, likelihood, X, latent_dim=2):
    vae = VAETransformer(
        latent_dim,
        likelihood=likelihood,
        hidden_layer_sizes=(),
        early_stopping=False,
        learning_rate=0.01,
        batch_size=128,
        max_iter=1000,
        random_state=seed,
    )
    return vae.fit(X)


def standardised(X):
    """Standardised columns, and what that adds to a log-density per row."""
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), np.log(scaler.scale_).sum()


def gap_to_ppca(name, seed):
    """Nats per feature that a linear model with one noise scale falls short of PCA's optimum."""
    X = TABLES[name]
    Z, jacobian = standardised(X)
    score = linear(seed, Gaussian(scale="shared"), X).score_samples(X, n_draws=1000).mean()
    return (PCA(2).fit(Z).score(Z) - jacobian - score) / X.shape[1]


def gap_to_factor_analysis(name, seed):
    """The same with a noise scale per feature, against FactorAnalysis."""
    X = TABLES[name]
    Z, jacobian = standardised(X)
    score = linear(seed, Gaussian(scale="feature"), X).score_samples(X, n_draws=1000).mean()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # a noise variance of iris creeps towards 0 for ever
        analysis = FactorAnalysis(2, max_iter=20_000, tol=1e-8).fit(Z)
    return (analysis.score(Z) - jacobian - score) / X.shape[1]


def test_a_linear_model_reaches_the_optimum_of_probabilistic_pca():
    assert abs(gap_to_ppca("wine", seed=0)) < 0.01


def test_a_linear_model_with_a_scale_per_feature_reaches_factor_analysis():
    assert abs(gap_to_factor_analysis("wine", seed=0)) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", TABLES)
def test_linear_models_reach_both_optima_from_every_start(name, seed):
    assert abs(gap_to_ppca(name, seed)) < 0.01
    assert abs(gap_to_factor_analysis(name, seed)) < 0.01


def test_no_bound_exceeds_the_exact_log_density_of_probabilistic_pca():
    X = TABLES["iris"]
    vae = linear(0, Gaussian(scale="shared"), X)
    w = vae._model.learned()
    x, offset, *_ = vae._codec.encode(checked(vae, X, reset=False))
    (kernel, bias), own = w["decoder"][0], w["likelihood"]["0"]
    scale = np.exp(10 * np.tanh(own["log_scale"].astype(float) / 10)) + 1e-3
    covariance = kernel.T @ kernel + scale**2 * np.eye(X.shape[1])
    exact = stats.multivariate_normal(bias, covariance).logpdf(x[:]) + offset
    for n_draws in (1, 8, 128, 1000):
        excess = vae.score_samples(X, n_draws) - exact
        error = excess.std() / len(X) ** 0.5
        assert excess.mean() < 3 * error
    assert abs(excess.mean()) < 1e-3


def network(**parts):
    likelihood = Joint((likelihoods.Gaussian(), likelihoods.Bernoulli()), (Size(3), Size(2)))
    layers = dense((7, 4), "relu"), dense((4, 7), "relu")
    return Network.of(2, layers, likelihood, **PARTS, **parts)


def test_raw_numbers_belong_to_the_cells_that_they_are_taken_apart_for():
    slots, cells = [0, 0, 3, 3, 5, 4, 2], [[0, 1], [2, 3, 4], [5, 6]]
    kinds = likelihoods.Gaussian(scale="cell"), likelihoods.Histogram(), likelihoods.Categorical()
    room = [padded(n) if n else 0 for n in (0, 11, 6)]
    joint = Joint(kinds, tuple(Size(len(own), n) for own, n in zip(cells, room, strict=True)))
    blocks = np.split(joint.owners(slots), np.cumsum(joint._raw_sizes())[:-1])
    for (kind, size), own, block in zip(joint.parts(), cells, blocks, strict=True):
        runs, spans = Runs.of(kind.n_raw, size), [Span(j, j + 1, slots[j]) for j in own]
        for j, numbers in zip(own, runs.apart(block[None], spans), strict=True):
            assert numbers.shape[-1] == runs.width(slots[j])
            assert (np.asarray(numbers) == j).all()


def w_of(net, x, varies=(1, 1, 1, 1, 1)):
    columns = [Column()] * net.n_cells
    return untrained(net, Dense(x), columns, np.array(varies), np.random.default_rng(0)).learned()


def test_packed_weights_come_back_in_their_shapes():
    rng = np.random.default_rng(0)
    net = network()
    w = {"encoder": net.encoder.init(rng), "decoder": net.decoder.init(rng), "none": {"own": []}}
    nest, vector = Nest.of(w)
    back = nest.unpack(vector)
    assert back["none"] == {"own": []}
    for (kernel, bias), (kernel_back, bias_back) in zip(
        w["encoder"] + w["decoder"], back["encoder"] + back["decoder"], strict=True
    ):
        np.testing.assert_array_equal(kernel, kernel_back)
        np.testing.assert_array_equal(bias, bias_back)


def test_the_decoder_mirrors_the_encoder():
    assert network().encoder.sizes == (5, 7, 4, 4)
    assert network().decoder.sizes == (2, 4, 7, 5)


def test_terms_are_the_sums_that_make_the_elbo():
    net = network()
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=(6, 3)), rng.random((6, 2)) < 0.5]).astype(np.float32)
    noise = rng.normal(size=(4, 6, 2)).astype(np.float32)
    _, log_lik, log_ratio, kl = net.terms(w_of(net, x), x, noise, Inference())
    assert (log_lik.shape, log_ratio.shape, kl.shape) == ((4, 6), (4, 6), (6, 2))
    gaussian_only, bernoulli_only = (
        net.terms(w_of(net, x, varies=varies), x, noise, Inference())[1]
        for varies in ([1, 1, 1, 0, 0], [0, 0, 0, 1, 1])
    )
    np.testing.assert_allclose(gaussian_only + bernoulli_only, log_lik, rtol=1e-5)


def test_equal_architectures_are_equal_keys():
    assert network() == network()
    assert hash(network()) == hash(network())


def test_rows_are_judged_by_the_objective_with_its_own_number_of_draws():
    net = dataclasses.replace(network(), objective=objectives.IWAE())
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=(6, 3)), rng.random((6, 2)) < 0.5]).astype(np.float32)
    w, noise = w_of(net, x), rng.normal(size=(15, 6, 2)).astype(np.float32)
    _, log_lik, log_ratio = map(np.asarray, net.terms(w, x, noise, Inference())[:3])
    bounds = logsumexp((log_lik - log_ratio).reshape(3, 5, 6), axis=0) - np.log(3)
    found = net.validation_losses(w, x, noise, 3, 1.0)
    np.testing.assert_allclose(found, -bounds.mean(axis=0), rtol=1e-5)
