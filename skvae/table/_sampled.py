"""A uniform sample of rows that come in blocks, with those that have what no row of it has."""

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skvae.table._dtypes import of_array, read
from skvae.table._frames import columns_of, frame_of, names_of
from skvae.table._values import Values, short

NUMBERS = 2**24  # most cells of a table that is its own sample
THINNED = 4  # times fewer are in the sample of a larger one
SHARE = 1000  # times fewer labels of a column are looked for than such a table has rows
EMPTY = "Blocks has no rows, or none any more; give it a function that makes blocks anew each time."
KINDS = {"integer": "numbers", "float": "numbers", "boolean": "numbers", "ordered": "labels"}
KINDS |= {"category": "labels", "datetime": "times", "duration": "durations"}


class Sampled(NamedTuple):
    """Rows that stand for all."""

    table: Any  # like the blocks
    places: np.ndarray  # of its rows among all
    n: int  # rows of all blocks


def sampled(blocks: Iterable, rng: np.random.Generator) -> Sampled:
    """Rows of all blocks, or some, each as likely as another.

    To these come rows with the least and the largest number of a column, or with a label, that no
    other has: so ranges and labels are those of all rows.
    """
    kept, n = Kept(), 0
    for k, block in enumerate(alike(blocks)):
        kept.add(k, n, block, rng.random(len(block)))
        n += len(block)
    if not n:
        raise ValueError(EMPTY)
    if kept.limit < 1:
        kept.drop()
    tables, _, places = zip(*kept.parts, strict=True)
    return Sampled(joined(tables), np.concatenate(places), n)


class Kept:
    """So many rows with the least keys, and those that have what no other has."""

    def __init__(self) -> None:
        self.parts: list[tuple] = []  # tables, keys and places of their rows
        self.seen, self.limit, self.left = Seen(), 1.0, 0

    def add(self, k: int, first: int, block: Any, keys: np.ndarray) -> None:
        """Take the rows of block k, which come from a place on."""
        columns = values_of(block)
        most = max(1, NUMBERS // len(columns))
        self.left = -(-most // THINNED)
        self.seen.look(columns, first, k, most // SHARE)
        self.parts += self._left((block, keys, np.arange(first, first + len(keys))))
        if sum(len(keys) for _, keys, _ in self.parts) > most + len(self.seen):
            self.drop()

    def drop(self) -> None:
        """Leave out the rows that are too many."""
        keys = np.concatenate([keys for _, keys, _ in self.parts])
        if len(keys) > self.left:
            self.limit = float(np.partition(keys, self.left)[self.left])
            self.parts = [left for part in self.parts for left in self._left(part)]

    def _left(self, part: tuple) -> list[tuple]:
        """Those of some rows that are kept so far, if there are any."""
        table, keys, places = part
        some = np.flatnonzero((keys < self.limit) | np.isin(places, self.seen.places()))
        if len(some) == len(keys):  # whoever makes blocks may fill the same memory again
            return [(table.copy() if hasattr(table, "copy") else table, keys, places)]
        return [(rows_at(table, some), keys[some], places[some])] if len(some) else []


class Seen:
    """Where the least and the largest number of each column are, and where its labels came first.

    Of a column with more labels than may be, none is looked for.
    """

    def __init__(self) -> None:
        self.ends: dict[int, list[tuple[Any, int]]] = {}
        self.labels: dict[int, dict[Any, int]] = {}
        self.many: set[int] = set()
        self.kinds: dict[int, tuple[str, int]] = {}

    def __len__(self) -> int:
        return 2 * len(self.ends) + sum(map(len, self.labels.values()))

    def places(self) -> list[int]:
        """Of all these rows."""
        ends = (place for both in self.ends.values() for _, place in both)
        return [*ends, *(place for own in self.labels.values() for place in own.values())]

    def look(self, columns: list[tuple[Any, Values]], first: int, k: int, most: int) -> None:
        """Look at the columns of block k, whose rows come from a place on."""
        for j, (name, column) in enumerate(columns):
            some = np.flatnonzero(~column.holes)
            if not len(some):
                continue
            kind = KINDS.get(column.dtype.meaning, column.dtype.meaning)
            before, block = self.kinds.setdefault(j, (kind, k))
            if kind != before:
                raise ValueError(
                    f"Column {short(name)} holds {kind} in block {k}, but {before} in block "
                    f"{block}; give each block the same dtypes."
                )
            if column.levels is None:
                self._ends(j, column.cells[some], first + some)
            if j not in self.many and column.cells.dtype.kind in "iub":  # codes of labels too
                self._labels(j, column.take(some), first + some, most)

    def _ends(self, j: int, cells: np.ndarray, places: np.ndarray) -> None:
        low, high = int(cells.argmin()), int(cells.argmax())
        now = [(cells[low], int(places[low])), (cells[high], int(places[high]))]
        before = self.ends.get(j, now)
        self.ends[j] = [
            min(before[0], now[0], key=itemgetter(0)),
            max(before[1], now[1], key=itemgetter(0)),
        ]

    def _labels(self, j: int, column: Values, places: np.ndarray, most: int) -> None:
        codes, at = np.unique(column.cells, return_index=True)
        labels = codes if column.levels is None else column.levels[codes]
        known = self.labels.setdefault(j, {})
        for label, place in zip(labels.tolist()[: most + 1], places[at].tolist(), strict=False):
            known.setdefault((type(label), label), place)
        if len(known) > most:  # an identifier, or a measure
            self.many.add(j)
            del self.labels[j]


def alike(blocks: Iterable) -> Iterator:
    """Blocks that hold rows, or a ValueError where one is not like the first."""
    first = None
    for k, given in enumerate(blocks):
        block = _table_of(k, given)
        names = block.shape[1:] if isinstance(block, np.ndarray) else names_of(block)
        kind = type(block)
        first = (names, kind) if first is None else first
        if names != first[0]:
            raise ValueError(
                f"Block {k} has the columns {names}, but the first block has {first[0]}; give "
                "blocks of one table."
            )
        if kind != first[1]:
            raise ValueError(
                f"Block {k} is a {kind.__module__}.{kind.__name__}, but the first block is a "
                f"{first[1].__module__}.{first[1].__name__}; give blocks of one library."
            )
        if len(block):
            yield block


def _table_of(k: int, given: Any) -> Any:
    """A block as a native frame, or as an array of rows and columns."""
    if issparse(given):
        raise ValueError(
            f"Block {k} is a {type(given).__name__}, but blocks are dense; fit takes a sparse "
            "matrix as a whole, or give each block's .toarray()."
        )
    block = frame_of(given)
    if np.ma.isMaskedArray(given):
        block = np.ma.filled(given.astype(np.float64), np.nan)
    block = np.asarray(given) if block is None else block
    if isinstance(block, np.ndarray) and block.ndim != 2:
        raise ValueError(
            f"Block {k} is a {type(given).__name__} of shape {block.shape}, but frames, or "
            "arrays of rows and columns, are expected; one table is given as lambda: [table]."
        )
    if not block.shape[1]:
        raise ValueError(f"Block {k} has no columns; give rows of at least one.")
    return block


def some(blocks: Iterable) -> Iterator:
    """The same, or a ValueError where there are none."""
    block = None
    for block in alike(blocks):
        yield block
    if block is None:
        raise ValueError(EMPTY)


def values_of(block: Any) -> list[tuple[Any, Values]]:
    """The columns of a block in NumPy, with their names."""
    if isinstance(block, np.ndarray):
        return [(j, of_array(j, cells, "numpy")) for j, cells in enumerate(block.T)]
    pairs = zip(names_of(block), columns_of(block), strict=True)
    return [(name, read(name, column)) for name, column in pairs]


def rows_at(table: Any, places: np.ndarray) -> Any:
    """Rows at places of a native table."""
    if isinstance(table, np.ndarray):
        return table[places]
    return nw.from_native(table)[places].to_native()


def joined(tables: Sequence) -> Any:
    """Native tables, one below the other; columns of holes alone take the dtype of the others."""
    if isinstance(tables[0], np.ndarray):
        return np.concatenate(tables)
    if hasattr(tables[0], "iloc"):
        return _joined_of_pandas(list(tables))
    if hasattr(tables[0], "combine_chunks"):
        import pyarrow as pa

        return pa.concat_tables(tables, promote_options="permissive")
    import polars as pl

    return pl.concat(tables, how="vertical_relaxed")


def _joined_of_pandas(tables: list) -> pd.DataFrame:
    for name in tables[0].columns:
        dtypes = {table[name].dtype for table in tables}
        held = {t[name].dtype for t in tables if t[name].notna().any()} if len(dtypes) > 1 else ()
        if len(held) == 1 and not pd.api.types.is_integer_dtype(*held):
            tables = [table.astype({name: next(iter(held))}) for table in tables]
    return pd.concat(tables)
