"""Memory that arrays and tensors can share."""

from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes: where TensorFlow wants arrays to begin


def aligned(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """An empty array that begins where TensorFlow wants it."""
    size, itemsize = int(np.prod(shape)), np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT // itemsize, dtype)
    start = -memory.ctypes.data % ALIGNMENT // itemsize
    return memory[start : start + size].reshape(shape)
