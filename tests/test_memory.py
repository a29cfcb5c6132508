import numpy as np
import pytest

from skvae._memory import ALIGNMENT, aligned
from skvae.engine._tensors import tensor

ROWS = aligned((6, 5))
ROWS[:] = np.arange(30).reshape(6, 5)
CHANGING = ROWS.copy()
CHANGING.flags.writeable = False


@pytest.mark.parametrize("shape", [(6, 5), (7,), (0, 3), (2, 0)])
def test_memory_begins_where_tensors_want_it(shape):
    array = aligned(shape)
    assert (array.shape, array.dtype) == (shape, np.float32)
    assert not array.size or array.ctypes.data % ALIGNMENT == 0
    assert tensor(array).shape == shape


def test_a_tensor_shares_aligned_memory():
    rows = aligned((3, 2))
    rows[:] = 1.0
    shared = tensor(rows)
    rows[0, 0] = 7.0
    assert shared[0, 0] == 7.0


@pytest.mark.parametrize("array", [ROWS[:, 1:], ROWS.T, ROWS[1:], CHANGING, ROWS[:0]], ids=str)
def test_any_array_becomes_a_tensor(array):
    np.testing.assert_array_equal(tensor(array), array)
