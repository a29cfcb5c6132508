"""Arrays and tensors on the same memory."""

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
