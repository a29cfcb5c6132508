"""Blocks of rows from what holds more of them than memory does, and into files."""

from collections.abc import Iterable, Iterator
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

ROWS = 2**17  # of a block that is read


def of_parquet(path: Any) -> Any:
    """The dataset of Parquet files, or of a folder of them."""
    import pyarrow.dataset

    return pyarrow.dataset.dataset(path)


def of_dataset(dataset: Any) -> Iterator:
    """The rows of a dataset of pyarrow as tables."""
    import pyarrow as pa

    for batch in dataset.to_batches(batch_size=ROWS):
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
    if not isinstance(block, np.ndarray):
        return nw.from_native(block).to_arrow()
    import pyarrow as pa

    columns = block.reshape(len(block), -1).T
    return pa.table({str(j): column for j, column in enumerate(columns)})
