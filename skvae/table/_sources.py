"""Blocks of rows from what holds more of them than memory does, and into files."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

ROWS, NUMBERS = 2**17, 2**21  # most of a block that is read


def of_parquet(path: Any) -> Any:
    """The dataset of Parquet files, or of a folder of them."""
    import pyarrow.dataset

    return pyarrow.dataset.dataset(path, partitioning="hive")


def of_dataset(dataset: Any) -> Iterator:
    """The rows of a dataset of pyarrow as tables."""
    import pyarrow as pa

    rows = max(1, min(ROWS, NUMBERS // max(1, len(dataset.schema))))
    for batch in dataset.to_batches(batch_size=rows, batch_readahead=2, fragment_readahead=1):
        if len(batch):
            yield pa.Table.from_batches([batch])


def write_parquet(blocks: Iterable, path: Any) -> None:
    """Blocks into a file as they come."""
    from pyarrow.parquet import ParquetWriter

    tables = map(_as_arrow, blocks)
    first = next(tables, None)
    if first is None:
        raise ValueError("Blocks has no rows to write; give it a function that makes blocks anew.")
    with ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table.cast(first.schema))


def _as_arrow(block: Any) -> Any:
    """A block, or an array of one or two dimensions, as a table of pyarrow."""
    import pyarrow as pa

    if hasattr(block, "iloc"):
        return pa.Table.from_pandas(block, preserve_index=False)
    if not isinstance(block, np.ndarray):
        return nw.from_native(block).to_arrow()
    columns = np.atleast_2d(block.T)
    return pa.table({str(j): column for j, column in enumerate(columns)})


def by_partition(function: Callable, frame: Any, empty: Any) -> Any:
    """What a function of a number and rows gives for each partition, as a collection of dask.

    `empty` is what it gives for no rows.
    """
    if hasattr(empty, "set_axis"):
        empty = empty.set_axis(frame._meta.index[:0])
    elif not isinstance(empty, np.ndarray):
        raise ValueError(
            f"A {type(frame).__name__} of dask has partitions of pandas, but this model gives a "
            f"{type(empty).__module__.partition('.')[0]} {type(empty).__name__}; fit it to a frame "
            "of pandas, or set_output(transform='pandas')."
        )

    def of_partition(rows: Any, partition_info: Any = None) -> Any:
        return function(partition_info["number"], rows) if len(rows) else empty

    return frame.map_partitions(of_partition, meta=empty)
