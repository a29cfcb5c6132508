"""Encoders and decoders of one's own, and what they may hold."""

import pickle
import random

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.base import clone
from sklearn.datasets import load_digits

from skvae import VAETransformer, _training
from skvae._layers import Inference, of_user

X = load_digits().data[:400]


def convolutional(n_inputs, n_outputs):
    return keras.Sequential(
        [
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(n_outputs),
        ]
    )


def recurrent(n_inputs, n_outputs):
    return keras.Sequential([layers.Reshape((8, 8)), layers.Bidirectional(layers.GRU(4)), layers.Dense(n_outputs)])


def restless(n_inputs, n_outputs):
    return keras.Sequential(
        [layers.Dense(16), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3), layers.Dense(n_outputs)]
    )


class Doubled(layers.Layer):
    """A layer that does not tell its configuration."""

    def __init__(self, kernel):
        super().__init__()
        self.dense = layers.Dense(kernel.shape[1])

    def call(self, x):
        return self.dense(2 * x)


def untold(n_inputs, n_outputs):
    return Doubled(np.zeros((n_inputs, n_outputs)))


NETWORKS = [convolutional, recurrent, restless, untold]


def small(**parameters):
    return VAETransformer(**{"hidden_layer_sizes": 16, "max_iter": 3, "random_state": 0, **parameters})


@pytest.mark.parametrize("build", NETWORKS)
def test_an_encoder_of_ones_own_is_trained(build):
    vae = small(encoder=build, max_iter=15).fit(X)
    assert vae.history_["log_likelihood"][-1] > vae.history_["log_likelihood"][0] + 2
    np.testing.assert_allclose(vae.transform(X[:3]), vae.transform(X)[:3], atol=1e-6)
    raw = vae.encoder_(((X - X.mean(0)) / np.where(X.std(0), X.std(0), 1)).astype(np.float32), training=False)
    np.testing.assert_allclose(vae.transform(X), np.asarray(raw)[:, :2], atol=1e-4)


def upsampling(n_inputs, n_outputs):
    return keras.Sequential(
        [
            layers.Dense(4 * 4 * 2, activation="relu"),
            layers.Reshape((4, 4, 2)),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
            layers.Flatten(),
        ]
    )


def test_a_decoder_of_ones_own_may_end_without_a_dense_layer():
    vae = small(decoder=upsampling, max_iter=15).fit(X)
    assert vae.history_["log_likelihood"][-1] > vae.history_["log_likelihood"][0] + 2
    assert vae.sample(5, random_state=0).shape == (5, 64)
    assert np.isfinite(vae.score_samples(X[:5])).all()


@pytest.mark.parametrize("build", NETWORKS)
def test_the_same_seed_gives_the_same_bits_and_global_generators_stay(build):
    before = random.getstate(), np.random.get_state()[1].copy(), keras.config.dtype_policy().name
    first, second = (small(encoder=build).fit(X).transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert random.getstate() == before[0] and keras.config.dtype_policy().name == before[2]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize("build", NETWORKS)
def test_a_second_fit_reuses_the_program(build):
    vae = small(encoder=build).fit(X)
    before = _training.compiled.cache_info().misses
    clone(vae).set_params(random_state=1, learning_rate=0.01).fit(X)
    assert _training.compiled.cache_info().misses == before


def test_a_function_that_builds_other_layers_than_before_gets_a_program_of_its_own():
    activation = "relu"

    def build(n_inputs, n_outputs):
        return keras.Sequential([layers.Dense(16, activation=activation), layers.Dense(n_outputs)])

    first = small(encoder=build).fit(X).transform(X)
    activation = "tanh"
    second = small(encoder=build).fit(X).transform(X)
    assert abs(first - second).max() > 0.01


@pytest.mark.parametrize("build", NETWORKS)
def test_a_model_with_layers_of_ones_own_is_pickled(build):
    vae = small(encoder=build).fit(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(vae)).transform(X), vae.transform(X))


def test_warm_start_goes_on_with_layers_of_ones_own():
    vae = small(encoder=recurrent, decoder=restless, warm_start=True).fit(X)
    loss = vae.history_["loss"][-1]
    assert vae.fit(X).history_["loss"][-1] < loss
    with pytest.raises(ValueError, match="architecture"):
        vae.set_params(encoder=convolutional).fit(X)


def test_moving_averages_follow_training_and_units_are_dropped_only_there():
    vae = small(encoder=restless).fit(X)
    norm = vae.encoder_.layers[1].layers[1]
    assert abs(np.asarray(norm.moving_mean)).max() > 0.01
    np.testing.assert_array_equal(vae.transform(X), vae.transform(X))


def test_dropped_units_differ_from_step_to_step():
    stack = of_user(restless, "encoder")(64, 4)
    arrays = stack.init(np.random.default_rng(0))
    x = X[:8].astype(np.float32)
    outputs = []
    for _ in range(2):
        step = _training.Step([], 0.0)
        outputs.append(np.asarray(stack.apply(arrays, x, step, "encoder")))
        arrays = {**arrays, "state": [np.asarray(a) for a in step.states["encoder"]]}
    assert abs(outputs[0] - outputs[1]).max() > 0.01
    still = [np.asarray(stack.apply(arrays, x, Inference(), "encoder")) for _ in range(2)]
    np.testing.assert_array_equal(*still)


def test_penalties_on_weights_are_part_of_the_loss():
    def penalised(n_inputs, n_outputs):
        return layers.Dense(n_outputs, kernel_regularizer=keras.regularizers.L2(10.0))

    free, held = (
        small(encoder=build, max_iter=15).fit(X).encoder_.get_weights()[0]
        for build in (lambda n_inputs, n_outputs: layers.Dense(n_outputs), penalised)
    )
    assert abs(held).mean() < 0.3 * abs(free).mean()


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (keras.Sequential([layers.Dense(4)]), TypeError, "a function of .* that builds one is expected"),
        (lambda n_inputs, n_outputs: np.zeros(3), TypeError, "but a Keras layer or model is expected"),
        (lambda n_inputs, n_outputs: layers.Dense(7), ValueError, r"shape \(None, 7\) for 64 inputs, but \(None, 4\)"),
        (lambda n_inputs, n_outputs: layers.Reshape((8, 8)), ValueError, r"but \(None, 4\) is expected; end it with"),
    ],
)
def test_what_cannot_be_an_encoder_is_told(encoder, error, message):
    with pytest.raises(error, match=message):
        small(encoder=encoder).fit(X)


def test_rows_with_holes_and_priors_that_call_the_encoder_work_with_layers_of_ones_own():
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)

    def build(n_inputs, n_outputs):
        return keras.Sequential([layers.Dense(16, activation="relu"), layers.Dense(n_outputs)])

    vae = small(encoder=build, decoder=build, prior="vamp").fit(holes)
    assert np.isfinite(vae.score_samples(holes[:20])).all()
    assert not np.isnan(vae.impute(holes[:20])).any()
    assert vae.sample(3).shape == (3, 64)
