"""Training that starts from an embedding."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_swiss_roll
from sklearn.decomposition import PCA, FastICA

from skvae import VAETransformer
from skvae.likelihoods import Gaussian
from skvae.training._embedding import embedding

IRIS = load_iris().data


def s_curve(n=300, seed=0):
    t = np.random.default_rng(seed).uniform(-1.5 * np.pi, 1.5 * np.pi, n)
    return np.stack([(1 + np.sin(t)) / 2, (np.sign(t) * (np.cos(t) - 1) + 2) / 4], axis=1), t


def test_an_embedding_is_standardised():
    z = embedding("pca", IRIS, 3)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-5)


def test_dimensions_beyond_those_of_the_rows_are_zero():
    z = embedding("pca", IRIS, 6)
    assert (z[:, 4:] == 0).all()
    assert (z[:, :4].std(axis=0) > 0.9).all()


def test_dimensions_of_rounding_noise_are_zero():
    t = np.random.default_rng(0).normal(size=(100, 1))
    z = embedding("pca", t * [1.0, 2.0, 3.0], 2)
    assert z[:, 0].std() == pytest.approx(1)
    assert (z[:, 1] == 0).all()


def test_isomap_gives_as_many_dimensions_as_its_distances_have():
    z = embedding("isomap", np.random.default_rng(0).normal(size=(20, 30)), 16)
    assert z.shape == (20, 16)
    assert np.isfinite(z).all()


@pytest.mark.parametrize("init", ["pca", "isomap"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_rows_are_enough(init, n, short_start):
    assert np.isfinite(
        VAETransformer(2, init=init, max_iter=2, random_state=0).fit(IRIS[:n]).score(IRIS)
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_curve_is_unrolled_from_a_manifold_embedding(seed):
    X, t = s_curve()
    vae = VAETransformer(1, init="isomap", random_state=seed).fit(X)
    z = vae.transform(X)
    assert abs(spearmanr(z[:, 0], t)[0]) > 0.99
    assert ((vae.inverse_transform(z) - X) ** 2).mean() < 0.002


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (KMeans(3), "has no parameter n_components"),
        (PCA, r"is a class, but an object is expected: PCA\(\)"),
    ],
)
def test_what_gives_no_embedding_is_told(init, message):
    with pytest.raises(ValueError, match=message):
        VAETransformer(2, init=init, max_iter=1).fit(IRIS)


def test_training_starts_where_the_embedding_is():
    vae = VAETransformer(2, init="pca", max_iter=1, random_state=0).fit(IRIS)
    scaled = (IRIS - IRIS.mean(axis=0)) / IRIS.std(axis=0)
    correlation = np.corrcoef(PCA(2).fit_transform(scaled).T, vae.transform(IRIS).T)
    assert abs(correlation[0, 2]) > 0.97


def test_any_transformer_with_components_will_do(short_start):
    X, _ = make_swiss_roll(200, random_state=0)
    method = FastICA(whiten="unit-variance", random_state=0)
    vae = VAETransformer(2, init=method, max_iter=3, random_state=0).fit(X)
    assert vae.transform(X).shape == (200, 2)
    assert not hasattr(method, "components_")


@pytest.mark.parametrize("init", ["pca", "isomap", FastICA(whiten="unit-variance", tol=1.0)])
def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_generator_alone(init, short_start):
    X = np.random.default_rng(0).normal(size=(600, 60))
    before = np.random.get_state()[1].copy()
    first, second = (
        VAETransformer(init=init, max_iter=1, hidden_layer_sizes=4, random_state=3).fit_transform(X)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


class Wrong(PCA):
    def fit_transform(self, X, y=None):
        return super().fit_transform(X)[:, :1]


def test_an_embedding_of_another_shape_is_an_error():
    with pytest.raises(
        ValueError,
        match=r"init=Wrong\(\) gave an array of shape \(150, 1\) for 150 rows, but finite",
    ):
        VAETransformer(2, init=Wrong(), early_stopping=False).fit(IRIS)


class Lost(Gaussian):
    def log_prob(self, w, x, raw):
        return super().log_prob(w, x, raw) * np.nan


def test_a_start_that_goes_astray_says_that_it_was_the_start(short_start):
    vae = VAETransformer(2, init="pca", likelihood=Lost(), random_state=0)
    with pytest.raises(ValueError, match="The loss became nan") as raised:
        vae.fit(IRIS)
    note = "This was the start from init='pca'; init='random' does without it."
    assert raised.value.__notes__ == [note]
