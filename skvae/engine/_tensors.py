"""Tensors on the memory of arrays, those in a vector, and sizes."""

from collections.abc import Sequence
from math import prod
from typing import Any

from skvae._memory import ALIGNMENT
from skvae.engine._tensorflow import tf


def tensor(array: Any) -> tf.Tensor:
    """The array as a tensor, on its memory if that can be: tf.constant would hold it twice more."""
    if isinstance(array, tf.Tensor):
        return array
    flags = array.flags
    if flags.c_contiguous and flags.writeable and array.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)


def cut(shapes: Sequence[tuple], vector: Any) -> list:
    """The arrays in a vector, one after the other."""
    parts = tf.split(vector, list(map(prod, shapes))) if shapes else []
    cut = zip(parts, shapes, strict=True)
    return [tf.reshape(part, shape) if len(shape) != 1 else part for part, shape in cut]


def size(x: Any, axis: int) -> Any:
    """The size of an axis: a number where it is known."""
    return x.shape[axis] or tf.shape(x)[axis]
