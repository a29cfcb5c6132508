"""Optimisers: functions from a number of weights to what a program needs to take steps."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from skvae import _math as ops

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # as published and as in Keras
NAMED = {"adamw": {}, "rmsprop": {}, "sgd": {"momentum": 0.9, "nesterov": True}}  # the last as in MLPRegressor


class Steps(NamedTuple):
    """How steps are taken."""

    slots: tuple  # the optimiser's own arrays, as it starts
    update: Callable  # a pure function: weights, slots, gradient, learning rate to new weights and slots
    guard: AbstractContextManager = nullcontext()  # held while it runs
    elementwise: bool = False  # whether arrays of weights may be updated one by one


def adam(n: int) -> Steps:
    """Kingma, Ba (2015). Adam: A Method for Stochastic Optimization."""
    return Steps((np.zeros(n, np.float32), np.zeros(n, np.float32), np.int32(0)), _adam, elementwise=True)


def _adam(weights: Any, slots: tuple, gradient: Any, learning_rate: Any) -> tuple[Any, tuple]:
    m, v, step = slots
    step += 1
    t = ops.cast(step, "float32")
    m = m + (1.0 - BETA_1) * (gradient - m)
    v = v + (1.0 - BETA_2) * (gradient * gradient - v)
    rate = learning_rate * ops.sqrt(1.0 - BETA_2**t) / (1.0 - BETA_1**t)
    return weights - rate * m / (ops.sqrt(v) + EPSILON), (m, v, step)


@dataclass(frozen=True)
class OfKeras:
    """An optimiser of Keras, by its class and its configuration but for the learning rate."""

    kind: type
    config: str

    def __call__(self, n: int) -> Steps:
        import keras

        optimizer = self.kind.from_config(json.loads(self.config) | {"learning_rate": 1e-3})
        place = keras.Variable(np.zeros(n, np.float32), dtype="float32")  # Keras changes weights in a place of theirs
        optimizer.build([place])
        slots = [variable for variable in optimizer.variables if variable is not optimizer.learning_rate]

        def update(weights: Any, before: tuple, gradient: Any, learning_rate: Any) -> tuple[Any, tuple]:
            values = zip([place, *slots, optimizer.learning_rate], [weights, *before, learning_rate], strict=True)
            for variable, value in values:
                variable.assign(value)
            optimizer.apply([gradient], [place])
            return ops.copy(place.value), tuple(ops.copy(variable.value) for variable in slots)

        return Steps(tuple(np.asarray(variable) for variable in slots), update, Lock())


def resolve(spec: Any) -> Callable:
    """The optimiser of a name, or one like the given object of Keras."""
    if spec == "adam":
        return adam
    import keras

    optimizer = spec if not isinstance(spec, str) else keras.optimizers.get({"class_name": spec, "config": NAMED[spec]})
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(f"optimizer={spec!r}, but a name or an object of keras.optimizers is expected.")
    if isinstance(optimizer.get_config()["learning_rate"], dict):
        raise ValueError(
            f"optimizer={spec!r} has a schedule of learning rates, but the rate and its course are those of the "
            "parameter learning_rate; give it a plain learning rate, which is not used."
        )
    config = {name: value for name, value in optimizer.get_config().items() if name not in ("learning_rate", "name")}
    return OfKeras(type(optimizer), json.dumps(config, sort_keys=True))
