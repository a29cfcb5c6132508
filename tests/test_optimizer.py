"""Optimisers take the steps of Keras, with the estimator's learning rate."""

import pickle
from functools import wraps

import keras
import numpy as np
import pytest
import tensorflow as tf
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.decomposition import PCA

from skvae import VAETransformer
from skvae.engine import _optimizer, _training, _variables, gradient_of
from skvae.training import _chain

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 5)) + 0.3 * RNG.normal(size=(300, 5))
KERAS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
}


def small(**parameters):
    return VAETransformer(
        **{"hidden_layer_sizes": 16, "max_iter": 30, "random_state": 0, **parameters}
    )


OTHERS = [
    "Nadam",
    "Adadelta",
    "Adagrad",
    "Adamax",
    "Adafactor",
    "Ftrl",
    "Lion",
    "Lamb",
    "ScheduleFreeAdamW",
]
OBJECTS = {
    name: getattr(keras.optimizers, name) for name in OTHERS if hasattr(keras.optimizers, name)
}
OBJECTS["averaged"] = lambda rate: keras.optimizers.SGD(
    rate, use_ema=True, ema_overwrite_frequency=3
)


@pytest.mark.smoke
@pytest.mark.parametrize("name", [*KERAS, *OBJECTS])
def test_an_optimizer_takes_the_steps_of_keras(name):
    weights, gradients = RNG.normal(size=6).astype("f4"), RNG.normal(size=(20, 6)).astype("f4")
    rates = np.linspace(0.02, 0.001, 20, dtype="f4")
    start, update, *_ = _optimizer.resolve(name if name in KERAS else OBJECTS[name](0.5))(6)
    slots = start(weights)
    optimizer, variable = (KERAS | OBJECTS)[name](0.02), keras.Variable(weights)
    for gradient, rate in zip(gradients, rates, strict=True):
        weights, slots = update(weights, slots, tf.constant(gradient), tf.constant(rate))
        optimizer.learning_rate.assign(rate)
        optimizer.apply([tf.constant(gradient)], [variable])
    np.testing.assert_allclose(weights, variable.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", [_optimizer.adam, _optimizer.averaged_adam])
def test_steps_in_place_are_those_that_make_new_weights(optimizer):
    weights, gradients = RNG.normal(size=6).astype("f4"), RNG.normal(size=(150, 6)).astype("f4")
    steps, rate = optimizer(6), tf.constant(0.01)
    slots = steps.start(weights)

    @tf.function(autograph=False)
    def in_place():
        *slots, n = steps.start(weights)
        held = [_variables.Variable(tf.constant(array)) for array in (weights, *slots)]

        def step(i):
            steps.in_place(held, tf.constant(gradients)[i] + held[0].read(), rate, n + i + 1)
            return (i + 1,)

        tf.while_loop(lambda i: i < len(gradients), step, (tf.constant(0),), parallel_iterations=1)
        return [variable.read() for variable in held]

    found = in_place()
    for gradient in gradients:
        weights, slots = steps.update(weights, slots, tf.constant(gradient) + weights, rate)
    for array, own in zip(found, (weights, *slots), strict=False):
        np.testing.assert_allclose(array, own, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("parameters", [{}, {"autoregressive": True, "likelihood": "histogram"}])
def test_a_fit_is_the_same_where_large_arrays_are_apart_or_no_step_is_in_place(
    parameters, monkeypatch
):
    made, steps = [], {"adam": _optimizer.adam, "averaged_adam": _chain.averaged_adam}

    class Counted(_training.Variable):
        def __init__(self, start):
            made.append(start)
            super().__init__(start)

    def fitted():
        _training.trainer.cache_clear()
        made.clear()
        vae = small(max_iter=2, early_stopping=False, **parameters).fit(X)
        _training.trainer.cache_clear()
        return vae.history_["loss"], vae._model.weights

    monkeypatch.setattr(_training, "Variable", Counted)
    expected, n_whole = fitted(), len(made)
    monkeypatch.setattr(_training, "LARGE", 10)
    apart, n_apart = fitted(), len(made)
    for module, name in ((_optimizer, "adam"), (_chain, "averaged_adam")):
        renewing = wraps(steps[name])(lambda n, name=name: steps[name](n)._replace(in_place=None))
        monkeypatch.setattr(module, name, renewing)
    renewed = fitted()
    assert n_apart > n_whole >= 3 and not made
    for other in (apart, renewed):
        for own, array in zip(other, expected, strict=True):
            np.testing.assert_allclose(own, array, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("optimizer", [*KERAS, keras.optimizers.Lion(7.0)])
def test_any_optimizer_trains_and_repeats_itself(optimizer):
    first, second = (small(optimizer=optimizer).fit(X) for _ in range(2))
    assert first.history_["log_likelihood"][-1] > first.history_["log_likelihood"][0] + 0.5
    np.testing.assert_array_equal(first.transform(X), second.transform(X))


def test_an_object_of_keras_stands_for_its_settings_but_for_the_rate():
    named = small(optimizer="sgd").fit(X)
    given = small(optimizer=keras.optimizers.SGD(123.0, momentum=0.9, nesterov=True)).fit(X)
    other = small(optimizer=keras.optimizers.SGD(momentum=0.5)).fit(X)
    np.testing.assert_array_equal(named.transform(X), given.transform(X))
    assert abs(named.transform(X) - other.transform(X)).max() > 1e-3


def test_an_object_of_keras_is_left_as_it_was_and_may_be_cloned_and_pickled():
    optimizer = keras.optimizers.SGD(momentum=0.5)
    vae = clone(small(optimizer=optimizer, max_iter=3)).fit(X)
    assert not optimizer.built
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(vae)).transform(X), vae.transform(X))


def test_a_second_fit_with_the_same_optimizer_traces_nothing():
    small(optimizer=keras.optimizers.SGD(momentum=0.5)).fit(X)
    before = _training.trainer.cache_info().misses
    small(optimizer=keras.optimizers.SGD(0.1, momentum=0.5), learning_rate=0.01).fit(X)
    assert _training.trainer.cache_info().misses == before


def test_fits_in_threads_do_not_mix():
    seeds = range(4)
    alone = [small(optimizer="rmsprop", random_state=seed).fit(X).transform(X) for seed in seeds]
    fits = (delayed(small(optimizer="rmsprop", random_state=seed).fit)(X) for seed in seeds)
    for vae, expected in zip(Parallel(2, backend="threading")(fits), alone, strict=True):
        np.testing.assert_array_equal(vae.transform(X), expected)


def test_warm_start_goes_on_with_the_optimizers_own_arrays_or_with_new_ones_for_another():
    vae = small(optimizer="adamw", max_iter=5, warm_start=True).fit(X)
    assert vae.fit(X)._slots[1][0] == 2 * 5 * 17  # steps of 16 rows
    loss = vae.history_["loss"][-1]
    assert vae.set_params(optimizer="adam").fit(X).history_["loss"][-1] < loss


@pytest.mark.parametrize("optimizer", ["adagrad", 3, object()])
def test_what_is_no_optimizer_is_told(optimizer):
    with pytest.raises(ValueError, match="The 'optimizer' parameter of VAETransformer must be"):
        small(optimizer=optimizer).fit(X)


def without_decay_of_biases():
    optimizer = keras.optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: keras.optimizers.Adam(
                keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
            ),
            "has a schedule of learning rates, but",
        ),
        (
            lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()),
            "is made of other optimisers, but",
        ),
        (lambda: keras.optimizers.Muon(), "goes by the shapes of arrays of weights, but"),
        (
            lambda: keras.optimizers.SGD(loss_scale_factor=1024.0),
            "has a loss_scale_factor, but losses are not scaled",
        ),
        (
            lambda: keras.optimizers.SGD(use_ema=True),
            "has use_ema=True, but averages that are never written back",
        ),
        (without_decay_of_biases, "leaves some variables out of its weight decay, but"),
    ],
)
def test_what_an_optimizer_cannot_do_here_is_told(make, message):
    with pytest.raises(ValueError, match=message):
        small(optimizer=make()).fit(X)


def test_a_wrong_optimizer_is_told_before_an_embedding_takes_its_time():
    class Never(PCA):
        def fit_transform(self, X, y=None):
            raise AssertionError

    with pytest.raises(ValueError, match="has a loss_scale_factor"):
        small(optimizer=keras.optimizers.SGD(loss_scale_factor=2.0), init=Never()).fit(X)


def test_settings_may_be_numbers_of_numpy():
    first, second = (
        small(optimizer=keras.optimizers.RMSprop(epsilon=kind(2**-20)), max_iter=3)
        .fit(X)
        .transform(X)
        for kind in (float, np.float32)
    )
    np.testing.assert_array_equal(first, second)


def test_steps_are_the_same_in_a_program_of_xla(monkeypatch):
    plain = small(optimizer="rmsprop", max_iter=5).fit(X).transform(X)
    monkeypatch.setattr(_training, "XLA_PAYS", 0.0)
    np.testing.assert_allclose(
        small(optimizer="rmsprop", max_iter=5).fit(X).transform(X), plain, atol=1e-4
    )


def test_an_object_that_only_looks_like_an_optimizer_is_told():
    class Looks:
        def apply(self): ...

        def get_config(self): ...

    with pytest.raises(
        TypeError, match=r"but a name or an object of keras\.optimizers, such as .* is expected"
    ):
        small(optimizer=Looks()).fit(X)


def test_what_a_function_does_not_look_at_has_a_gradient_of_zero():
    array = tf.constant([1.0, 2.0])
    np.testing.assert_array_equal(gradient_of(lambda a: tf.reduce_sum(3 * a), array), [3, 3])
    np.testing.assert_array_equal(gradient_of(lambda a: tf.zeros(()), array), [0, 0])
