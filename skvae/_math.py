"""Keras, imported at first use, and the few functions that its `ops` lack.

Importing, constructing or loading must not import Keras: all take `ops` and `keras` from here.
Numbers stand on the right of arrays: TensorFlow's gradients are then shorter.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from skvae._quiet import quiet

LOG_2PI = 1.8378770664093453
LARGE = 8  # from which on a few terms of Stirling's series are exact to float32
TINY = 1e-30
MAX_LOG_SCALE = 10.0  # exp(10) is 22026: beyond any standardised column
MOST_BOUNDED = 0.99  # share of it that is still undone


class _AtFirstUse:
    """A module, but for the time it takes to import."""

    def __init__(self, module: str):
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by those who look through a module
            raise AttributeError(name)
        with quiet():
            return getattr(import_module(self._module), name)


if TYPE_CHECKING:
    import keras
    from keras import ops
else:
    keras, ops = _AtFirstUse("keras"), _AtFirstUse("keras.ops")
tensorflow: Any = _AtFirstUse("tensorflow")  # of which Keras' own functions make many operations


def normal_log_prob(standard: Any, log_scale: Any = 0.0) -> Any:
    """Log-density of each number of a normal distribution, given (x - mean) / scale."""
    return (standard * standard + LOG_2PI) * -0.5 - log_scale


def cast(x: Any, dtype: str, xp: Any) -> Any:
    """The same numbers in another dtype."""
    return x.astype(dtype) if xp is np else ops.cast(x, dtype)


def take(x: Any, places: Any, axis: int = 0, xp: Any = ops) -> Any:
    """What lies at places of an axis, from 0 on: `ops.take` makes seven operations more of it."""
    return np.take(x, places, axis) if xp is np else tensorflow.gather(x, places, axis=axis)


def split(x: Any, sizes: Sequence[int], axis: int = -1) -> list:
    """An array in pieces of an axis: one operation, where slices are several each."""
    if len(sizes) < 2:
        return [x for _ in sizes]
    if tensorflow.is_tensor(x):
        return tensorflow.split(x, sizes, axis)
    return np.split(x, np.cumsum(sizes)[:-1], axis)


def joined(pieces: Sequence) -> Any:
    """Pieces side by side on their last axis."""
    return pieces[0] if len(pieces) == 1 else ops.concatenate(pieces, axis=-1)


def bounded(x: Any, xp: Any = ops) -> Any:
    """About x near zero, and smoothly never beyond MAX_LOG_SCALE either way."""
    return xp.tanh(x * (1 / MAX_LOG_SCALE)) * MAX_LOG_SCALE


def at_least(least: Any, x: Any, xp: Any = ops) -> Any:
    """About x where it is larger, and smoothly never below `least`: the logarithm of both added.

    Both are small numbers: so it is exact, and fewer operations than `ops.logaddexp`.
    """
    return np.logaddexp(least, x) if xp is np else ops.softplus(x - least) + least


def unbounded(x: np.ndarray) -> np.ndarray:
    """What `bounded` makes about x of, as far as it can."""
    return MAX_LOG_SCALE * np.arctanh((x / MAX_LOG_SCALE).clip(-MOST_BOUNDED, MOST_BOUNDED))


def stirling_remainder(x: Any) -> Any:
    """log(x!) - (x log x - x), exact to float32 where the difference itself is not.

    That of x + 1 is larger by 1 - x log(1 + 1 / x): so small numbers are taken up to where
    Stirling's series is exact (Abramowitz, Stegun 1964, 6.1.41).
    """
    large = ops.where(x < LARGE, x + LARGE, x)
    series = 0.5 * (LOG_2PI + ops.log(large)) + 1 / (12 * large) - 1 / (360 * large**3)
    small = (ops.maximum(x + i, TINY) for i in range(LARGE))
    below = sum(1.0 - y * ops.log1p(1.0 / y) for y in small)
    return series - ops.where(x < LARGE, below, 0.0)


def log1p_or_log(x: Any, one_plus_x: Any) -> Any:
    """log(1 + x), from `one_plus_x` where x is so near -1 that the sum would lose it."""
    near = x > -0.5
    return ops.where(
        near, ops.log1p(ops.where(near, x, 0.0)), ops.log(ops.where(near, 1.0, one_plus_x))
    )


def normal_quantile(u: Any) -> Any:
    """The standard normal's quantile function; finite on the whole of [0, 1]."""
    edge = 1.0 - 2.0**-23
    return 1.4142135623730951 * ops.erfinv(ops.clip(2.0 * u - 1.0, -edge, edge))
