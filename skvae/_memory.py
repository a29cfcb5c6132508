"""Arrays on memory that tensors can share, or from others; and what looks through all memory."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

ALIGNMENT = 64  # bytes: where TensorFlow wants arrays to begin


def aligned(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """An empty array that begins where TensorFlow wants it."""
    size, itemsize = int(np.prod(shape)), np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT // itemsize, dtype)
    start = -memory.ctypes.data % ALIGNMENT // itemsize
    return memory[start : start + size].reshape(shape)


def spread(values: np.ndarray, n: int) -> np.ndarray:
    """So many of the values, from all over them: rows come in the order of their content."""
    return values[((np.arange(n) + 0.5) * (len(values) / max(n, 1))).astype(np.intp)]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector.

    It would look through the million objects that TensorFlow makes at its start, several times, and
    again while programs are traced, and find nothing.
    """
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()
