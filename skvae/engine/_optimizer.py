"""Optimisers: functions from a number of weights to what a program needs to take steps."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from skvae._math import ops
from skvae.engine._variables import Variable, apply_adam

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7  # as published and as in Keras
WARM_UP, AVERAGED, AVERAGED_BETA_2 = 100, 0.998, 0.99  # of steps whose weights are averaged
# The last as in MLPRegressor
NAMED = {"adamw": {}, "rmsprop": {}, "sgd": {"momentum": 0.9, "nesterov": True}}


class Steps(NamedTuple):
    """How steps are taken."""

    start: Callable  # weights to the optimiser's own arrays, its slots, as it starts
    update: Callable  # pure: weights, slots, gradient and learning rate to new weights and slots
    guard: AbstractContextManager = nullcontext()  # held while it runs
    elementwise: bool = False  # whether steps by XLA update arrays of weights one by one
    kept: Callable = itemgetter(0)  # weights and slots to the weights that are judged and kept
    # The same on variables, of weights and of slots but for the last, which counts steps: given
    # gradient, learning rate and that number as it will be. It works array by array; None where no
    # operation does it at once
    in_place: Callable | None = None


def adam(n: int) -> Steps:
    """Kingma, Ba (2015). Adam: A Method for Stochastic Optimization."""
    return Steps(_start_of_adam, adam_step, elementwise=True, in_place=_adam_in_place)


def _start_of_adam(weights: np.ndarray) -> tuple:
    return np.zeros_like(weights), np.zeros_like(weights), np.int32(0)


def averaged_adam(n: int) -> Steps:
    """Adam that rises to its rate, and keeps the mean of weights over steps.

    Polyak, Juditsky (1992). Acceleration of stochastic approximation by averaging.
    """
    # one vector: XLA compiles many arrays for twice as long, and is no faster with them here
    return Steps(
        _start_of_averaged,
        _averaged_step,
        kept=lambda state: state[1][0],
        in_place=_averaged_in_place,
    )


def _start_of_averaged(weights: np.ndarray) -> tuple:
    return weights, *_start_of_adam(weights)


def _averaged_step(weights: Any, slots: tuple, gradient: Any, learning_rate: Any) -> tuple:
    mean, slots = slots[0], slots[1:]
    t = ops.cast(slots[-1], "float32")
    rate = _rising(learning_rate, t)
    weights, slots = adam_step(weights, slots, gradient, rate, AVERAGED_BETA_2)
    return weights, (mean + _share(t) * (weights - mean), *slots)


def _rising(learning_rate: Any, t: Any) -> Any:
    return learning_rate * ops.minimum(1.0, (t + 1.0) / WARM_UP)


def _share(t: Any) -> Any:
    """What the mean takes of the weights after step t."""
    return 1.0 - ops.minimum(AVERAGED, (2.0 + t) / (11.0 + t))


def adam_step(
    weights: Any, slots: tuple, gradient: Any, learning_rate: Any, beta_2: float = BETA_2
) -> tuple[Any, tuple]:
    """New weights and slots: running means of the gradient and of its square, and their number."""
    m, v, step = slots
    step += 1
    t = ops.cast(step, "float32")
    m = m + (1.0 - BETA_1) * (gradient - m)
    v = v + (1.0 - beta_2) * (gradient * gradient - v)
    rate = learning_rate * ops.sqrt(1.0 - beta_2**t) / (1.0 - BETA_1**t)
    return weights - rate * m / (ops.sqrt(v) + EPSILON), (m, v, step)


def _adam_in_place(
    variables: list[Variable], gradient: Any, learning_rate: Any, step: Any, beta_2: float = BETA_2
) -> None:
    t = ops.cast(step, "float32")
    apply_adam(variables, gradient, learning_rate, (BETA_1, beta_2), EPSILON, t)


def _averaged_in_place(
    variables: list[Variable], gradient: Any, learning_rate: Any, step: Any
) -> None:
    (weights, mean, *means), t = variables, ops.cast(step - 1, "float32")
    rate = _rising(learning_rate, t)
    _adam_in_place([weights, *means], gradient, rate, step, AVERAGED_BETA_2)
    mean.add(_share(t) * (weights.read() - mean.read()))


@dataclass(frozen=True)
class OfKeras:
    """An optimiser of Keras, by its class and its configuration but for the learning rate."""

    kind: Any
    config: str

    def __call__(self, n: int) -> Steps:
        update = partial(_updated, *self._made(np.zeros(n, np.float32)))
        return Steps(self._start, update, Lock())

    def _start(self, weights: np.ndarray) -> tuple:
        return tuple(map(np.asarray, self._made(weights)[2]))

    def _made(self, weights: np.ndarray) -> tuple[Any, Any, list]:
        """An optimiser, the variable in which it changes weights, and variables of its own."""
        import keras

        optimizer = self.kind.from_config(json.loads(self.config) | {"learning_rate": 1e-3})
        place = keras.Variable(weights, dtype="float32")
        optimizer.build([place])
        rate = optimizer.learning_rate
        return optimizer, place, [own for own in optimizer.variables if own is not rate]


def _updated(
    optimizer: Any, place: Any, own: list, weights: Any, slots: tuple, gradient: Any, rate: Any
) -> tuple[Any, tuple]:
    """New weights and slots, by way of Keras' variables."""
    variables = [place, *own, optimizer.learning_rate]
    for variable, value in zip(variables, [weights, *slots, rate], strict=True):
        variable.assign(value)
    optimizer.apply([gradient], [place])
    return ops.copy(place.value), tuple(ops.copy(variable.value) for variable in own)


def name_of(optimizer: Callable) -> str:
    """What tells an optimiser from others, as text."""
    if isinstance(optimizer, OfKeras):
        return f"{optimizer.kind.__module__}.{optimizer.kind.__qualname__} {optimizer.config}"
    return optimizer.__name__


def resolve(spec: Any) -> Callable:
    """The optimiser of a name, or one like the given object of Keras."""
    if spec == "adam":
        return adam
    import keras

    if isinstance(spec, str):
        optimizer = keras.optimizers.get({"class_name": spec, "config": NAMED[spec]})
    elif isinstance(spec, keras.optimizers.Optimizer):
        optimizer = spec
    else:
        raise TypeError(
            f"optimizer={spec!r}, but a name or an object of keras.optimizers, such as "
            "keras.optimizers.SGD(), is expected."
        )
    config = optimizer.get_config()
    excluding = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
    reasons = (
        (
            "learning_rate" not in config,
            "is made of other optimisers, but one with a learning rate of its own is expected; "
            "give that one.",
        ),
        (
            isinstance(config.get("learning_rate"), dict),
            "has a schedule of learning rates, but the rate and its course are those of the "
            "parameter learning_rate; give it a plain learning rate, which is not used.",
        ),
        (
            isinstance(optimizer, keras.optimizers.Muon),
            "goes by the shapes of arrays of weights, but it is given all of them as one vector; "
            "use 'adamw'.",
        ),
        (
            config.get("loss_scale_factor") is not None,
            "has a loss_scale_factor, but losses are not scaled; leave it out.",
        ),
        (
            bool(config.get("use_ema")) and config.get("ema_overwrite_frequency") is None,
            "has use_ema=True, but averages that are never written back do nothing; set "
            "ema_overwrite_frequency.",
        ),
        (
            any(getattr(optimizer, name, None) for name in excluding),
            "leaves some variables out of its weight decay, but it is given all weights as one "
            "vector, which decay alike.",
        ),
    )
    for wrong, why in reasons:
        if wrong:
            raise ValueError(f"optimizer={spec!r} {why}")
    kept = {name: config[name] for name in config if name not in ("learning_rate", "name")}
    return OfKeras(type(optimizer), json.dumps(kept, sort_keys=True, default=float))
