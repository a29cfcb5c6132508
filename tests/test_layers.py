"""Encoders and decoders of one's own, and what they may hold."""

import pickle
import random
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import pytest
from joblib import Parallel, delayed
from keras import layers
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skvae import VAETransformer
from skvae.engine import _program, _random, _training
from skvae.model import Inference, _keras_stack, of_user

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
    return keras.Sequential(
        [layers.Reshape((8, 8)), layers.Bidirectional(layers.GRU(4)), layers.Dense(n_outputs)]
    )


def restless(n_inputs, n_outputs):
    return keras.Sequential(
        [
            layers.Dense(16),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.Dense(n_outputs),
        ]
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


DENSE = layers.Dense(4)
NETWORKS = [convolutional, recurrent, restless, untold]


def small(**parameters):
    settings = {"likelihood": "gaussian", "hidden_layer_sizes": 16, "max_iter": 3}  # 64 inputs
    return VAETransformer(**{**settings, "random_state": 0, **parameters})


@pytest.mark.parametrize("build", NETWORKS)
def test_an_encoder_of_ones_own_is_trained(build):
    vae = small(encoder=build).fit(X)
    start = vae._model.network.encoder.init(np.random.default_rng(0))
    for first, last in zip(start["trained"], vae.encoder_.trainable_variables, strict=True):
        assert abs(first - np.asarray(last)).max() > 1e-3
    np.testing.assert_allclose(vae.transform(X[:3]), vae.transform(X)[:3], atol=1e-6)
    raw = vae.encoder_(
        ((X - X.mean(0)) / np.where(X.std(0), X.std(0), 1)).astype(np.float32), training=False
    )
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


@pytest.mark.smoke
def test_a_decoder_of_ones_own_may_end_without_a_dense_layer():
    vae = small(decoder=upsampling, n_draws=3, max_iter=15, learning_rate=0.01).fit(X)
    assert vae.history_["log_likelihood"][-1] > vae.history_["log_likelihood"][0] + 2
    begun = small(decoder=upsampling, max_iter=1).fit(X)
    for first, last in zip(
        begun.decoder_.trainable_variables, vae.decoder_.trainable_variables, strict=True
    ):
        assert abs(np.asarray(first) - np.asarray(last)).max() > 1e-3
    assert vae.sample(5, random_state=0).shape == (5, 64)
    assert np.isfinite(vae.score_samples(X[:5])).all()


@pytest.mark.parametrize("build", NETWORKS)
def test_the_same_seed_gives_the_same_bits_and_global_generators_stay(build):
    before = random.getstate(), np.random.get_state()[1].copy(), keras.config.dtype_policy().name
    first, second = (small(encoder=build).fit(X).transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert random.getstate() == before[0] and keras.config.dtype_policy().name == before[2]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


@dataclass
class Wide:
    """A callable that cannot be hashed, and that clone copies."""

    units: int

    def __call__(self, n_inputs, n_outputs):
        return keras.Sequential([layers.Dense(self.units, "relu"), layers.Dense(n_outputs)])


@pytest.mark.parametrize(
    "build", [convolutional, recurrent, restless, Wide(7), partial(Wide(8).__call__)]
)
def test_a_second_fit_reuses_the_program(build):
    vae = small(encoder=build).fit(X)
    before = _training.trainer.cache_info().misses
    clone(vae).set_params(random_state=1, learning_rate=0.01).fit(X)
    assert _training.trainer.cache_info().misses == before


act = "relu"  # tests change it


def told(n_inputs, n_outputs):
    return keras.Sequential(
        [layers.Dense(16), layers.Activation(act, name=act), layers.Dense(n_outputs)]
    )


def hidden_in_a_lambda(n_inputs, n_outputs):
    chosen = keras.activations.get(act)
    return keras.Sequential(
        [layers.Dense(16), layers.Lambda(lambda x: chosen(x)), layers.Dense(n_outputs)]
    )


def hidden_in_a_layer(n_inputs, n_outputs):
    class Bent(layers.Layer):
        kind = staticmethod(keras.activations.get(act))

        def call(self, x):
            return self.kind(x)

    return keras.Sequential([layers.Dense(16), Bent(), layers.Dense(n_outputs)])


def hidden_in_what_is_untold(n_inputs, n_outputs):
    class Untold(Doubled):
        kind = staticmethod(keras.activations.get(act))

        def call(self, x):
            return self.kind(self.dense(x))

    return keras.Sequential([Untold(np.zeros((n_inputs, 16))), layers.Dense(n_outputs)])


@pytest.mark.parametrize(
    "build", [told, hidden_in_a_lambda, hidden_in_a_layer, hidden_in_what_is_untold]
)
def test_a_function_that_builds_other_layers_than_before_gets_a_program_of_its_own(
    build, monkeypatch
):
    first = small(encoder=build).fit(X).transform(X)
    monkeypatch.setitem(globals(), "act", "tanh")
    second = small(encoder=build).fit(X).transform(X)
    assert abs(first - second).max() > 0.01


def test_a_function_that_builds_other_layers_after_fit_is_told(monkeypatch):
    vae = small(encoder=told).fit(X)
    monkeypatch.setitem(globals(), "act", "tanh")
    with pytest.raises(ValueError, match="builds other layers than it did in fit"):
        vae.encoder_  # noqa: B018
    _keras_stack._model.cache_clear()  # as in another process
    _program.compiled.cache_clear()
    with pytest.raises(ValueError, match="builds other layers than it did in fit"):
        vae.transform(X)


@pytest.mark.parametrize("init", ["random", "pca"])
def test_frozen_layers_stay_as_they_are(init):
    def build(n_inputs, n_outputs):
        frozen = layers.Dense(
            16, "relu", kernel_initializer=keras.initializers.Constant(0.01), trainable=False
        )
        return keras.Sequential([frozen, layers.Dense(n_outputs)])

    vae = small(encoder=build, init=init).fit(X)
    kernel, _ = vae.encoder_.layers[1].layers[0].get_weights()
    np.testing.assert_array_equal(kernel, np.float32(0.01))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"init": "pca"}, marks=pytest.mark.slow),
        {"prior": "vamp"},
        {"n_draws": 3, "dropout": 0.2},
    ],
    ids=str,
)
def test_restless_layers_serve_every_way_of_training(parts):
    vae = small(encoder=restless, decoder=restless, **parts).fit(X)
    assert np.isfinite(vae.score(X))
    assert (np.asarray(vae.encoder_.layers[1].layers[1].moving_variance) > 0).all()


def test_threads_do_not_mix_their_seeds():
    alone = [small(encoder=restless, random_state=seed).fit(X).transform(X) for seed in range(4)]
    before = random.getstate()
    fits = (delayed(small(encoder=restless, random_state=seed).fit)(X) for seed in range(4))
    for vae, expected in zip(Parallel(2, backend="threading")(fits), alone, strict=True):
        np.testing.assert_array_equal(vae.transform(X), expected)
    assert random.getstate() == before


@pytest.mark.parametrize("build", NETWORKS)
def test_a_model_with_layers_of_ones_own_is_pickled(build):
    vae = small(encoder=build).fit(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(vae)).transform(X), vae.transform(X))


@pytest.mark.parametrize("build", NETWORKS)
def test_warm_start_goes_on_with_layers_of_ones_own(build):
    vae = small(encoder=build, decoder=restless, warm_start=True).fit(X)
    loss = vae.history_["loss"][-1]
    assert vae.fit(X).history_["loss"][-1] < loss
    with pytest.raises(ValueError, match="architecture"):
        vae.set_params(encoder=Wide(5)).fit(X)


def test_moving_averages_follow_training():
    norm = small(encoder=restless).fit(X).encoder_.layers[1].layers[1]
    assert np.asarray(norm.moving_mean).any()  # zeros before


def test_dropped_units_differ_from_step_to_step():
    stack = of_user(restless, "encoder")(64, 4)
    arrays = stack.init(np.random.default_rng(0))
    x = X[:8].astype(np.float32)
    outputs = []
    for _ in range(2):
        step = _random.Step([])
        outputs.append(np.asarray(stack.apply(arrays, x, step, "encoder")))
        arrays = {**arrays, "state": [np.asarray(a) for a in step.states["encoder"]]}
    assert abs(outputs[0] - outputs[1]).max() > 0.01
    model = stack.keras_model(arrays)
    still = stack.apply(arrays, x, Inference(), "encoder")
    np.testing.assert_allclose(still, model(x, training=False), atol=1e-5)


def pretrained(value, trainable):
    """A function whose equal layers begin with weights of their own."""

    def build(n_inputs, n_outputs):
        begun = keras.initializers.Constant(value)
        first = layers.Dense(4, "tanh", trainable=trainable, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((n_inputs,)), first, layers.Dense(n_outputs)])
        first.set_weights([begun((n_inputs, 4)), np.full(4, value)])
        return model

    return build


@pytest.mark.parametrize("trainable", [False, True], ids=["frozen", "trained"])
def test_equal_layers_with_other_weights_share_a_program_but_not_the_weights(trainable):
    first, second = pretrained(0.01, trainable), pretrained(-0.02, trainable)
    small(encoder=first).fit(X)
    before = _training.trainer.cache_info().misses
    search = GridSearchCV(small(), {"encoder": [first, second]}, cv=2).fit(X)
    assert _training.trainer.cache_info().misses == before
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    vae = small(encoder=second).fit(X)
    start = vae._model.network.encoder.init(np.random.default_rng(0))
    kernel = start["state" if not trainable else "trained"][0]
    np.testing.assert_array_equal(kernel, np.float32(-0.02))
    if not trainable:
        np.testing.assert_array_equal(vae.encoder_.get_weights()[0], np.float32(-0.02))


def standardising(center):
    """A function whose layers hold constants that they do not tell."""

    def build(n_inputs, n_outputs):
        scaled = layers.Normalization()
        scaled.adapt(np.random.default_rng(0).normal(center, 1, (50, n_inputs)))
        return keras.Sequential([keras.Input((n_inputs,)), scaled, layers.Dense(n_outputs)])

    return build


def test_equal_layers_with_other_constants_share_no_program():
    small(encoder=standardising(0.0)).fit(X)
    vae = small(encoder=standardising(3.0)).fit(X)
    inputs = ((X - X.mean(0)) / np.where(X.std(0), X.std(0), 1)).astype(np.float32)
    raw = np.asarray(vae.encoder_(inputs, training=False))
    np.testing.assert_allclose(vae.transform(X), raw[:, :2], atol=1e-4)


def test_a_model_is_pickled_with_its_own_function_not_with_that_of_an_equal_one():
    small(encoder=lambda n_inputs, n_outputs: convolutional(n_inputs, n_outputs)).fit(X)
    vae = small(encoder=convolutional).fit(
        X
    )  # builds equal layers, which cannot be said of a lambda
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(vae)).transform(X), vae.transform(X))


def test_numbers_in_the_names_of_layers_are_those_in_which_they_come():
    first = '[{"name": "dense", "of": ["input"]}, {"name": "dense_1", "of": ["dense"]}]'
    second = '[{"name": "dense_7", "of": ["input_2"]}, {"name": "dense_8", "of": ["dense_7"]}]'
    crossed = first.replace('"of": ["dense"]', '"of": ["dense_1"]')
    assert _keras_stack._renumbered(first) == _keras_stack._renumbered(second)
    assert _keras_stack._renumbered(first) != _keras_stack._renumbered(crossed)


@pytest.mark.parametrize("layer", [partial(layers.Activation, "tanh"), layers.ELU], ids=str)
def test_a_layer_may_be_called_like_a_parameter_or_what_one_is(layer):
    def activated(n_inputs, n_outputs):
        parts = [layers.Dense(8, activation="elu"), layer(), layers.Dense(n_outputs)]
        return keras.Sequential(parts)

    keras.backend.clear_session()
    vae = small(encoder=activated, decoder=activated, max_iter=1).fit(X)
    assert np.isfinite(vae.fit(X).score(X))


def test_what_layers_leave_is_kept_where_large_arrays_are_apart(monkeypatch):
    fits = []
    for large in (10**9, 10):
        monkeypatch.setattr(_training, "LARGE", large)
        _training.trainer.cache_clear()
        fits.append(small(encoder=restless, decoder=restless, early_stopping=False).fit(X))
    _training.trainer.cache_clear()
    first, second = (vae._model.layout.weights.unpack(vae._model.weights) for vae in fits)
    for part in ("encoder", "decoder"):
        left = keras.tree.flatten(first[part]["state"])
        assert left[0].any()  # the moving mean, which starts at 0
        for own, array in zip(keras.tree.flatten(second[part]["state"]), left, strict=True):
            np.testing.assert_allclose(own, array, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(fits[1].transform(X), fits[0].transform(X), atol=1e-2)


def test_the_cost_of_layers_counts_their_places():
    dense, convolved = (
        of_user(build, "encoder")(64, 4).cost for build in (restless, convolutional)
    )
    assert dense == pytest.approx(64 * 16 + 16 * 4, rel=0.2)
    assert convolved > 4 * 4 * 4 * 9


def test_penalties_on_weights_are_part_of_the_loss():
    def penalised(n_inputs, n_outputs):
        return layers.Dense(n_outputs, kernel_regularizer=keras.regularizers.L2(10.0))

    free, held = (
        small(encoder=build, max_iter=15, learning_rate=0.01).fit(X).encoder_.get_weights()[0]
        for build in (lambda n_inputs, n_outputs: layers.Dense(n_outputs), penalised)
    )
    assert abs(held).mean() < 0.5 * abs(free).mean()


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (
            keras.Sequential([layers.Dense(4)]),
            TypeError,
            "a function of .* that builds one is expected",
        ),
        (
            lambda n_inputs, n_outputs: np.zeros(3),
            TypeError,
            "but a Keras layer or model is expected",
        ),
        (
            lambda n_inputs, n_outputs: layers.Dense(7),
            ValueError,
            r"shape \(None, 7\) for 64 inputs, but \(None, 4\)",
        ),
        (
            lambda n_inputs, n_outputs: layers.Reshape((8, 8)),
            ValueError,
            r"but \(None, 4\) is expected; end it with",
        ),
        (lambda n_inputs, n_outputs: DENSE, TypeError, "gives the same layers at each call"),
    ],
)
def test_what_cannot_be_an_encoder_is_told(encoder, error, message):
    with pytest.raises(error, match=message):
        small(encoder=encoder).fit(X)


def test_what_fails_in_the_function_says_which_and_for_which_sizes():
    with pytest.raises(TypeError) as caught:
        small(encoder=lambda n_inputs: layers.Dense(4)).fit(X)
    assert "encoder(64, 4): a function of (n_inputs, n_outputs)" in caught.value.__notes__[0]
    holes = np.where(X > 15, np.nan, X)
    with pytest.raises(Exception, match="total size") as caught:
        small(encoder=convolutional).fit(holes)
    assert (
        "takes rows of 128 numbers. An encoder has an input for each column"
        in caught.value.__notes__[0]
    )


def test_blocks_of_rows_fit_the_widest_layer():
    def build(n_inputs, n_outputs):
        return keras.Sequential([layers.Dense(10_000), layers.Dense(n_outputs)])

    stack = of_user(build, "encoder")(64, 4)
    assert stack.widest == 10_000


def test_rows_with_holes_and_priors_that_call_the_encoder_work_with_layers_of_ones_own():
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)

    def build(n_inputs, n_outputs):
        return keras.Sequential([layers.Dense(16, activation="relu"), layers.Dense(n_outputs)])

    vae = small(encoder=build, decoder=build, prior="vamp").fit(holes)
    assert np.isfinite(vae.score_samples(holes[:20])).all()
    assert not np.isnan(vae.impute(holes[:20])).any()
    assert vae.sample(3).shape == (3, 64)
