"""Blocks of rows from what holds more of them than memory does, and into files."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

ROWS, NUMBERS = 2**17, 2**21  # most of a block that is read


def of_parquet(path: Any) -> Any:
    """The dataset of Parquet files, or of a folder of them, in dtypes that hold those of all."""
    import pyarrow as pa
    import pyarrow.dataset

    dataset = partial(pyarrow.dataset.dataset, path, format="parquet", partitioning="hive")
    found = dataset()
    if not found.files:
        raise ValueError(f"{str(path)!r} has no Parquet files; give a file, or a folder of them.")
    files = {file.path: _without_index(file.physical_schema) for file in found.get_fragments()}
    first = next(iter(files))
    schema = _without_index(found.schema)
    for file, own in files.items():
        if set(own.names) != set(files[first].names):
            raise ValueError(
                f"{file!r} has the columns {own.names}, but {first!r} has {files[first].names}; "
                "give files of one table."
            )
        try:
            schema = pa.unify_schemas([schema, own], promote_options="permissive")
        except pa.ArrowException as error:
            raise ValueError(
                f"{file!r} has other dtypes than {first!r} ({error}); give files of one table."
            ) from error
    return dataset(schema=schema)


def _without_index(schema: Any) -> Any:
    """A schema without what was an index of pandas."""
    index = (schema.pandas_metadata or {}).get("index_columns", ())
    return schema.empty_table().select([n for n in schema.names if n not in index]).schema


def of_dataset(dataset: Any) -> Iterator:
    """The rows of a dataset of pyarrow as tables, without what was an index of pandas."""
    import pyarrow as pa

    names = _without_index(dataset.schema).names
    rows = max(1, min(ROWS, NUMBERS // max(1, len(names))))
    ahead = {"batch_readahead": 2, "fragment_readahead": 1}
    for batch in dataset.to_batches(columns=names, batch_size=rows, **ahead):
        if len(batch):
            yield pa.Table.from_batches([batch])


def write_parquet(blocks: Iterable, path: Any) -> None:
    """Blocks into a file, which is there once it is whole."""
    from pyarrow.parquet import ParquetWriter

    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder; give the path of a file in it.")
    tables = map(_as_arrow, blocks)
    first = next(tables, None)
    if first is None:
        raise ValueError("Blocks has no rows to write; give it a function that makes blocks anew.")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with ParquetWriter(part, first.schema) as writer:
            writer.write_table(first)
            for k, table in enumerate(tables, 1):
                writer.write_table(_like(first, table, k))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _like(first: Any, table: Any, k: int) -> Any:
    """Block k in the dtypes of the first one, or a ValueError where these do not hold it."""
    import pyarrow as pa

    try:
        for own, kept in zip(table.schema, first.schema, strict=False):
            both = own.type, kept.type
            if all(map(pa.types.is_floating, both)) and own.type.bit_width > kept.type.bit_width:
                raise pa.ArrowInvalid(f"{kept.type} does not hold the {own.type} of {own.name!r}")
        return table.cast(first.schema)
    except (ValueError, TypeError, NotImplementedError) as error:  # of pyarrow
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
