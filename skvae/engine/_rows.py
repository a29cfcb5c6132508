"""Rows as programs take them: dense, or in parts of which they make dense ones."""

from typing import Any, NamedTuple

from skvae.engine._tensorflow import tf
from skvae.engine._tensors import size, tensor


class SparseRows(NamedTuple):
    """Rows by the cells in which they differ from one that they share."""

    starts: Any  # of each row in the two below, and the end of the last
    columns: Any
    cells: Any
    base: Any  # the row that they share


def rows_of(arrays: Any) -> Any:
    """An array of rows, or the four of sparse ones, on the memory that they are in."""
    if isinstance(arrays, tuple):
        return SparseRows(*map(tensor, arrays))
    return tensor(arrays)


def spec_of_rows(sparse: bool, n_cells: int) -> Any:
    """What TensorFlow is told of rows."""
    if not sparse:
        return tf.TensorSpec([None, n_cells])
    starts, columns, cells = map(tf.TensorSpec, [[None]] * 3, [tf.int64, tf.int32, tf.float32])
    return SparseRows(starts, columns, cells, tf.TensorSpec([n_cells]))


def taken(rows: Any, places: Any) -> Any:
    """The rows at some places (length, batch), dense."""
    return _dense(rows, places) if isinstance(rows, SparseRows) else tf.gather(rows, places)


def _dense(rows: SparseRows, order: Any) -> Any:
    places = tf.reshape(order, [-1])
    starts = tf.gather(rows.starts, places)
    own = tf.ragged.range(starts, tf.gather(rows.starts, places + 1))
    columns = tf.cast(tf.gather(rows.columns, own.values), tf.int64)
    x = tf.tile(rows.base[None], [tf.size(places), 1])
    cells = tf.stack([own.value_rowids(), columns], axis=1)
    x = tf.tensor_scatter_nd_update(x, cells, tf.gather(rows.cells, own.values))
    return tf.reshape(x, [-1, size(order, 1), x.shape[1]])
