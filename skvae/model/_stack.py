"""Stacks of layers, as an encoder or a decoder: their weights come in as an argument."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from skvae._math import keras


class Mode(Protocol):
    """How layers behave, in training or outside of it."""

    training: bool

    def drop(self, x: Any) -> Any:
        """Hidden units, some of which are dropped in training."""

    def note(self, part: str, state: list, penalties: list) -> None:
        """Take what a stack leaves: its new state, such as moving averages, and penalties."""


class Inference:
    """How layers behave outside of training."""

    training = False

    def drop(self, x: Any) -> Any:
        return x

    def note(self, part: str, state: list, penalties: list) -> None:
        """Nothing is left."""


class Stack(Protocol):
    """Layers between so many inputs and outputs. Equal stacks share compiled programs."""

    n_in: int
    n_out: int
    hidden: tuple[int, ...]  # widths of the layers whose units are dropped
    widest: int  # most numbers that a layer gives for a row
    cost: int  # multiplications for a row, about
    xla: bool  # whether XLA may pay

    def init(self, rng: np.random.Generator) -> Any:
        """Random arrays to start training from."""

    def apply(self, arrays: Any, x: Any, mode: Mode, part: str) -> Any:
        """Outputs of rows of inputs, (rows, n_out)."""

    def keras_model(self, arrays: Any) -> "keras.Model":
        """A Keras model of its own with these arrays."""


@dataclass(frozen=True)
class DenseStack:
    """Dense layers with dropout between them."""

    sizes: tuple[int, ...]  # from inputs to outputs
    activation: str

    xla = True

    @property
    def n_in(self) -> int:
        return self.sizes[0]

    @property
    def n_out(self) -> int:
        return self.sizes[-1]

    @property
    def hidden(self) -> tuple[int, ...]:
        return self.sizes[1:-1]

    @property
    def widest(self) -> int:
        return max(self.sizes[1:])

    @property
    def cost(self) -> int:
        return sum(a * b for a, b in pairwise(self.sizes))

    def init(self, rng: np.random.Generator) -> list:
        layers = []
        for n_in, n_out in pairwise(self.sizes):
            limit = np.sqrt(6 / (n_in + n_out))  # Glorot, Bengio (2010)
            kernel = rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32)
            layers.append((kernel, np.zeros(n_out, np.float32)))
        return layers

    def apply(self, arrays: list, x: Any, mode: Mode, part: str) -> Any:
        activation = keras.activations.get(self.activation)
        *hidden, (kernel, bias) = arrays
        for hidden_kernel, hidden_bias in hidden:
            x = mode.drop(activation(x @ hidden_kernel + hidden_bias))
        return x @ kernel + bias

    def keras_model(self, arrays: list) -> "keras.Sequential":
        activations = [self.activation] * len(self.hidden) + ["linear"]
        dense = [
            keras.layers.Dense(width, name, dtype="float32", kernel_initializer="zeros")
            for width, name in zip(self.sizes[1:], activations, strict=True)
        ]
        model = keras.Sequential([keras.Input((self.n_in,), dtype="float32"), *dense])
        model.set_weights([array for layer in arrays for array in layer])
        return model


def dense(hidden: tuple[int, ...], activation: str) -> Callable[[int, int], DenseStack]:
    """The function from numbers of inputs and outputs to dense layers between them."""
    return lambda n_in, n_out: DenseStack((n_in, *hidden, n_out), activation)
