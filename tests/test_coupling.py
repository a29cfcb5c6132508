"""Coupling layers: `inverse` takes back `forward`, and both know how much space is stretched."""

import numpy as np
import pytest
import tensorflow as tf

from skvae import _coupling

SHAPES = [(1, 0), (2, 0), (5, 0), (5, 3)]  # latent dimensions and context


def layers_of(latent_dim, n_context):
    rng = np.random.default_rng(0)
    layers = _coupling.init(4, latent_dim, n_context, 8, rng)
    return [
        {name: a + 0.5 * rng.normal(size=a.shape).astype("f4") for name, a in layer.items()}
        for layer in layers
    ]


def points(latent_dim, n_context, n=6):
    rng = np.random.default_rng(1)
    context = rng.normal(size=(n, n_context)).astype("f4") if n_context else None
    return rng.normal(size=(n, latent_dim)).astype("f4"), context


@pytest.mark.parametrize(("latent_dim", "n_context"), SHAPES)
def test_layers_begin_as_the_identity(latent_dim, n_context):
    z, context = points(latent_dim, n_context)
    layers = _coupling.init(4, latent_dim, n_context, 8, np.random.default_rng(0))
    moved, log_stretch = _coupling.forward(layers, z, context)
    np.testing.assert_allclose(np.sort(moved), np.sort(z), atol=1e-6)  # halves trade places
    np.testing.assert_array_equal(log_stretch, 0)


@pytest.mark.parametrize(("latent_dim", "n_context"), SHAPES)
def test_inverse_takes_back_what_forward_does(latent_dim, n_context):
    layers, (z, context) = layers_of(latent_dim, n_context), points(latent_dim, n_context)
    moved, log_stretch = _coupling.forward(layers, z, context)
    assert abs(np.asarray(moved) - z).max() > 0.1
    back, log_stretch_back = _coupling.inverse(layers, moved, context)
    np.testing.assert_allclose(back, z, atol=1e-4)
    np.testing.assert_allclose(log_stretch_back, log_stretch, atol=1e-4)


@pytest.mark.parametrize(("latent_dim", "n_context"), SHAPES)
def test_the_stretch_is_the_determinant_of_the_jacobian(latent_dim, n_context):
    layers, (z, context) = layers_of(latent_dim, n_context), points(latent_dim, n_context)
    variable = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        moved, log_stretch = _coupling.forward(layers, variable, context)
    jacobian = tape.batch_jacobian(moved, variable).numpy()
    np.testing.assert_allclose(np.linalg.slogdet(jacobian)[1], log_stretch, atol=1e-4)
