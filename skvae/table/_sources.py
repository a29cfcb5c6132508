"""Blocks of rows from what holds more of them than memory does, and into files."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

ROWS, NUMBERS = 2**17, 2**21  # most of a block that is read


def of_parquet(path: Any) -> Any:
    """The dataset of Parquet files, or of a folder of them."""
    import pyarrow.dataset

    found = pyarrow.dataset.dataset(path, format="parquet", partitioning="hive")
    if not found.files:
        raise ValueError(f"{str(path)!r} has no Parquet files; give a file, or a folder of them.")
    files = {file.path: file.physical_schema.names for file in found.get_fragments()}
    first, names = next(iter(files.items()))
    for file, own in files.items():
        if set(own) != set(names):
            raise ValueError(
                f"{file!r} has the columns {own}, but {first!r} has {names}; give files of one "
                "table."
            )
    return found


def of_dataset(dataset: Any) -> Iterator:
    """The rows of a dataset of pyarrow as tables, without what was an index of pandas."""
    import pyarrow as pa

    index = (dataset.schema.pandas_metadata or {}).get("index_columns", ())
    names = [name for name in dataset.schema.names if name not in index]
    rows = max(1, min(ROWS, NUMBERS // max(1, len(names))))
    ahead = {"batch_readahead": 2, "fragment_readahead": 1}
    for batch in dataset.to_batches(columns=names, batch_size=rows, **ahead):
        if len(batch):
            yield pa.Table.from_batches([batch])


def write_parquet(blocks: Iterable, path: Any) -> None:
    """Blocks into a file, which is there once it is whole."""
    from pyarrow.parquet import ParquetWriter

    tables = map(_as_arrow, blocks)
    first = next(tables, None)
    if first is None:
        raise ValueError("Blocks has no rows to write; give it a function that makes blocks anew.")
    part = Path(path).with_name(f".{Path(path).name}.{os.getpid()}")
    try:
        with ParquetWriter(part, first.schema) as writer:
            writer.write_table(first)
            for k, table in enumerate(tables, 1):
                writer.write_table(_like(first, table, k))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _like(first: Any, table: Any, k: int) -> Any:
    try:
        return table.cast(first.schema)
    except ValueError as error:
        raise ValueError(
            f"Block {k} cannot be written below the first one ({error}); give each block the same "
            "columns and dtypes."
        ) from error


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
    if isinstance(empty, list):
        raise ValueError(
            "Several tables for each row are no collection of dask; call the method for one "
            "partition after the other, as with frame.partitions[0].compute()."
        )
    empty = _as_dask_has(empty)
    if hasattr(empty, "set_axis"):
        empty = empty.set_axis(frame._meta.index[:0])

    def of_partition(rows: Any, partition_info: Any = None) -> Any:
        found = _as_dask_has(function(partition_info["number"], rows)) if len(rows) else empty
        return found.set_axis(rows.index) if hasattr(found, "set_axis") else found

    return frame.map_partitions(of_partition, meta=empty)


def _as_dask_has(table: Any) -> Any:
    """An array, or a frame of pandas in the place of another one."""
    if isinstance(table, np.ndarray) or hasattr(table, "iloc"):
        return table
    return nw.from_native(table).to_pandas()
