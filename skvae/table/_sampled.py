"""A uniform sample of rows that come in blocks, with those that have what no row of it has."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np

from skvae.table._dtypes import of_array, read
from skvae.table._frames import columns_of, frame_of, names_of
from skvae.table._values import Values

NUMBERS = 2**24  # most cells of a sample
LEVELS = 20_000  # most labels of a column that are looked for
ALWAYS = -1.0  # the key of a row that is kept, whatever the limit


class Sampled(NamedTuple):
    """Rows that stand for all."""

    table: Any  # like the blocks
    n: int  # rows of all blocks


def sampled(blocks: Iterable, rng: np.random.Generator) -> Sampled:
    """Rows of all blocks, or of so many cells, each as likely as another.

    To these come rows with the least and the largest number of a column, or with a label, that no
    other has: so ranges and labels are those of all rows.
    """
    kept, seen, n = Kept(), Seen(), 0
    for block in alike(blocks):
        columns, keys = values_of(block), rng.random(len(block))
        keys[seen.first(columns)] = ALWAYS
        kept.add(block, keys, max(1, NUMBERS // len(columns)))
        n += len(block)
    if not n:
        raise ValueError("Blocks has no rows; give it a function that makes blocks anew.")
    return Sampled(kept.table(), n)


class Kept:
    """So many rows with the least keys, and those that are kept whatever comes."""

    def __init__(self) -> None:
        self.parts: list[tuple[Any, np.ndarray]] = []
        self.limit, self.most = 1.0, 0

    def add(self, table: Any, keys: np.ndarray, most: int) -> None:
        """Take some rows."""
        self.parts.append(_below(table, keys, self.limit))
        self.most = most
        if sum(len(own) for _, own in self.parts) > 2 * most:
            self._drop()

    def _drop(self) -> None:
        """Leave out the rows that are too many."""
        keys = np.concatenate([own for _, own in self.parts])
        keys = keys[keys != ALWAYS]
        if len(keys) > self.most:
            self.limit = float(np.partition(keys, self.most)[self.most])
            self.parts = [_below(*part, self.limit) for part in self.parts]

    def table(self) -> Any:
        """They, in the order in which they came."""
        self._drop()
        return joined([table for table, _ in self.parts])


def _below(table: Any, keys: np.ndarray, limit: float) -> tuple[Any, np.ndarray]:
    """The rows whose keys are below a limit."""
    some = np.flatnonzero(keys < limit)
    return (table, keys) if len(some) == len(keys) else (rows_at(table, some), keys[some])


class Seen:
    """The least and the largest number of each column so far, or its labels."""

    def __init__(self) -> None:
        self.ends: dict[int, np.ndarray] = {}
        self.levels: dict[int, set] = {}

    def first(self, columns: list[Values]) -> list[int]:
        """Places of rows with ends or labels that none before has."""
        found: set[int] = set()
        for j, column in enumerate(columns):
            some = np.flatnonzero(~column.holes)
            if len(some):
                of = self._ends if column.levels is None else self._labels
                found.update(of(j, column, some))
        return sorted(found)

    def _ends(self, j: int, column: Values, some: np.ndarray) -> list[int]:
        known = self.ends.get(j, column.cells[:0])
        cells = np.concatenate([known, column.cells[some]])
        ends = np.array([cells.argmin(), cells.argmax()])
        self.ends[j] = cells[ends]
        return some[ends[ends >= len(known)] - len(known)].tolist()

    def _labels(self, j: int, column: Values, some: np.ndarray) -> Iterator[int]:
        known = self.levels.setdefault(j, set())
        if len(known) > LEVELS:
            return
        codes, first = np.unique(column.cells[some], return_index=True)
        assert column.levels is not None
        for code, place in zip(codes, first, strict=True):
            label = column.levels[code]
            if label not in known:
                known.add(label)
                yield int(some[place])


def alike(blocks: Iterable) -> Iterator:
    """Blocks that hold rows, or a ValueError where one has other columns than the first."""
    first = None
    for k, given in enumerate(blocks):
        block = frame_of(given)
        block = np.asarray(given) if block is None else block
        if isinstance(block, np.ndarray) and block.ndim != 2:
            raise ValueError(
                f"Block {k} is a {type(given).__name__} of shape {block.shape}, but frames, or "
                "arrays of rows and columns, are expected."
            )
        names = block.shape[1:] if isinstance(block, np.ndarray) else names_of(block)
        first = names if first is None else first
        if names != first:
            raise ValueError(
                f"Block {k} has the columns {names}, but the first block has {first}; give blocks "
                "of one table."
            )
        if len(block):
            yield block


def values_of(block: Any) -> list[Values]:
    """The columns of a block in NumPy."""
    if isinstance(block, np.ndarray):
        return [of_array(j, block[:, j], "numpy") for j in range(block.shape[1])]
    return list(map(read, names_of(block), columns_of(block)))


def rows_at(table: Any, places: np.ndarray) -> Any:
    """Rows at places of a native table."""
    if isinstance(table, np.ndarray):
        return table[places]
    return nw.from_native(table)[places].to_native()


def joined(tables: Sequence) -> Any:
    """Native tables, one below the other."""
    if isinstance(tables[0], np.ndarray):
        return np.concatenate(tables)
    if len(tables) == 1:
        return tables[0]
    return nw.concat([nw.from_native(table) for table in tables], how="vertical").to_native()
