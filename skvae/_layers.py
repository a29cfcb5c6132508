"""Stacks of layers, as an encoder or a decoder: dense ones, or a Keras model that a function of the user's builds.

A stack holds no weights: they come in as the argument `arrays`, as `init` laid them out.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

SEEDS = 2**24  # whole numbers below are exact in float32, in which all arrays are kept


class Inference:
    """How layers behave outside of training; in training, something with these methods takes its place."""

    training = False

    def drop(self, x: Any) -> Any:
        """Hidden units, some of which are dropped in training."""
        return x

    def note(self, part: str, state: list, penalties: list) -> None:
        """What a stack leaves: its new state, such as moving averages, and penalties on its weights."""


@dataclass(frozen=True)
class Dense:
    """Dense layers with dropout between them."""

    sizes: tuple[int, ...]  # from inputs to outputs
    activation: str

    xla = True  # whether XLA may pay

    @property
    def n_in(self) -> int:
        return self.sizes[0]

    @property
    def n_out(self) -> int:
        return self.sizes[-1]

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the layers whose units are dropped."""
        return self.sizes[1:-1]

    @property
    def widest(self) -> int:
        """Most numbers that a layer gives for a row."""
        return max(self.sizes[1:])

    def init(self, rng: np.random.Generator) -> list:
        """Random arrays to start training from."""
        return [(_glorot_uniform(a, b, rng), np.zeros(b, np.float32)) for a, b in pairwise(self.sizes)]

    def apply(self, arrays: list, x: Any, mode: Any, part: str) -> Any:
        """Outputs of rows of inputs, (rows, n_out)."""
        activation = keras.activations.get(self.activation)
        *hidden, (kernel, bias) = arrays
        for hidden_kernel, hidden_bias in hidden:
            x = mode.drop(activation(x @ hidden_kernel + hidden_bias))
        return x @ kernel + bias

    def keras_model(self, arrays: list) -> keras.Sequential:
        """A Keras model of its own."""
        activations = [self.activation] * len(self.hidden) + ["linear"]
        dense = [
            keras.layers.Dense(width, name, dtype="float32", kernel_initializer="zeros")
            for width, name in zip(self.sizes[1:], activations, strict=True)
        ]
        model = keras.Sequential([keras.Input((self.n_in,), dtype="float32"), *dense])
        model.set_weights([array for layer in arrays for array in layer])
        return model


def dense(hidden: tuple[int, ...], activation: str) -> Callable[[int, int], Dense]:
    """The function from numbers of inputs and outputs to dense layers between them."""
    return lambda n_in, n_out: Dense((n_in, *hidden, n_out), activation)


@dataclass(frozen=True)
class Keras:
    """A Keras model that a function builds, with the state that its layers have besides weights.

    Arrays are float32, whatever the variables are: seeds are kept below 2 ** 24.
    """

    build: Callable
    n_in: int
    n_out: int
    structure: str  # two models of one function with equal structures share compiled programs

    hidden = ()
    xla = False  # it makes convolutions six times slower, and Keras' own dropout twice

    @property
    def widest(self) -> int:
        return max(_n_outputs(_model(self)))

    def init(self, rng: np.random.Generator) -> dict:
        model = _built(self.build, self.n_in, self.n_out, int(rng.integers(2**31)))
        state = [np.asarray(variable) for variable in model.non_trainable_variables]
        return {
            "trained": [np.asarray(variable, np.float32) for variable in model.trainable_variables],
            "state": [(a % SEEDS if a.dtype.kind in "iu" else a).astype(np.float32) for a in state],
        }

    def apply(self, arrays: dict, x: Any, mode: Any, part: str) -> Any:
        model = _model(self)
        state = [ops.cast(a, v.dtype) for a, v in zip(arrays["state"], model.non_trainable_variables, strict=True)]
        trained = [ops.convert_to_tensor(a) for a in arrays["trained"]]
        outputs, state, penalties = model.stateless_call(
            trained, state, ops.convert_to_tensor(x), training=mode.training, return_losses=True
        )
        mode.note(part, [ops.cast(a, "float32") for a in state], penalties)
        return ops.cast(outputs, "float32")

    def keras_model(self, arrays: dict) -> keras.Model:
        model = _built(self.build, self.n_in, self.n_out, 0)
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        for variable, array in zip(variables, [*arrays["trained"], *arrays["state"]], strict=True):
            variable.assign(array)
        return model


def of_user(build: Callable, name: str) -> Callable[[int, int], Keras]:
    """The function from numbers of inputs and outputs to what a user's function builds between them."""

    def stack(n_in: int, n_out: int) -> Keras:
        if isinstance(build, keras.layers.Layer):
            raise TypeError(
                f"{name} is a Keras layer or model, but a function of (n_inputs, n_outputs) that builds one is "
                "expected, so that each fit starts with a new one."
            )
        return Keras(build, n_in, n_out, _structure(_built(build, n_in, n_out, 0, name)))

    return stack


@lru_cache(maxsize=32)
def _model(stack: Keras) -> keras.Model:
    """A model whose layers are called with other arrays than its own."""
    return _built(stack.build, stack.n_in, stack.n_out, 0)


def _built(build: Callable, n_in: int, n_out: int, seed: int, name: str = "function") -> keras.Model:
    with _reproducible(seed):
        layers = build(n_in, n_out)
        if not isinstance(layers, keras.layers.Layer):
            raise TypeError(f"{name}={build!r} gave {layers!r}, but a Keras layer or model is expected.")
        inputs = keras.Input((n_in,), dtype="float32")
        outputs = layers(inputs)
    shape = getattr(outputs, "shape", outputs)
    if shape != (None, n_out):
        raise ValueError(
            f"{name}={build!r} gave a model with outputs of shape {shape} for {n_in} inputs, but (None, {n_out}) is "
            "expected; end it with keras.layers.Dense(n_outputs), or with Flatten if the numbers agree."
        )
    return keras.Model(inputs, outputs)


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Keras seeds its layers from Python's generator, which is put back; and layers are float32."""
    before, policy = random.getstate(), keras.config.dtype_policy()
    random.seed(seed)
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        random.setstate(before)
        keras.config.set_dtype_policy(policy)


def _structure(model: keras.Model) -> str:
    """The configuration of a model, with numbers for the names of layers, which differ each time."""
    try:
        text = model.to_json()
    except (NotImplementedError, TypeError):  # layers of the user's that do not tell theirs
        return str([variable.shape for variable in model.variables])
    for i, name in enumerate(dict.fromkeys(_layer_names(json.loads(text)))):
        text = text.replace(f'"{name}"', f'"layer {i}"')
    return text


def _layer_names(config: Any) -> Iterator[str]:
    """Names of the layers in a configuration, in its order."""
    if isinstance(config, list):
        config = dict(enumerate(config))
    if not isinstance(config, dict):
        return
    own = config.get("config")
    if isinstance(own, dict) and "name" in own and config["class_name"] != "DTypePolicy":
        yield own["name"]
    for inner in config.values():
        yield from _layer_names(inner)


def _n_outputs(layer: Any) -> Iterator[int]:
    """Numbers that a layer and the layers in it give for a row, where Keras knows."""
    for inner in getattr(layer, "layers", []):
        yield from _n_outputs(inner)
    shape = getattr(getattr(layer, "output", None), "shape", ())
    yield int(np.prod([n for n in shape[1:] if n is not None]))


def _glorot_uniform(n_in: int, n_out: int, rng: np.random.Generator) -> np.ndarray:
    limit = np.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32)
