"""Memory that arrays and tensors share."""

from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes: where TensorFlow wants arrays to begin


def aligned(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """An empty array that begins where TensorFlow wants it."""
    size, itemsize = int(np.prod(shape)), np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT // itemsize, dtype)
    start = -memory.ctypes.data % ALIGNMENT // itemsize
    return memory[start : start + size].reshape(shape)


def tensor(array: np.ndarray) -> Any:
    """The array as a tensor, on the same memory where that can be: tf.constant would hold it twice more."""
    import tensorflow as tf

    if array.flags.c_contiguous and array.flags.writeable and array.ctypes.data % ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)
