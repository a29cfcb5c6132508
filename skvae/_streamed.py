"""A fit of a table that comes in blocks: a sample tells of its columns, and a file has its rows."""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np

from skvae._blocks import Blocks
from skvae._plan import Data, Plan, Table, held_out_of, later, planned
from skvae.table import Dense, Encoded, Sampled, Store, alike, joined, rows_at, sampled


def of_blocks(
    vae: Any, blocks: Blocks, rng: np.random.Generator, X_val: Any, weights: tuple[Any, Any]
) -> Plan:
    """The plan of a fit: that of a table in memory, if a sample has all of its rows."""
    sample = sampled(blocks, np.random.default_rng(deepcopy(rng).integers(2**63)))
    X, _, n = sample
    if len(X) == n:
        plan = planned(vae, X, rng, X_val, weights)
        return plan._replace(data=plan.data._replace(shown=X))
    if weights[0] is not None:
        raise ValueError(
            f"sample_weight with Blocks of {n} rows, of which memory holds a sample; let blocks "
            "repeat rows in the place of weights."
        )
    divide = partial(_stored, blocks=blocks, sample=sample)
    return planned(vae, X, rng, X_val, weights, divide)


def _stored(
    vae: Any,
    table: Table,
    judges: Encoded | None,
    rng: np.random.Generator,
    blocks: Blocks,
    sample: Sampled,
) -> Data:
    """Training rows in a file, and rows that are held out, if any, in memory."""
    from skvae.engine import mean_of, workers

    n, worker = sample.n, workers()
    n_held_out = held_out_of(vae, n) if judges is None else 0
    places = np.sort(rng.choice(n, n_held_out, replace=False))
    store = Store(
        -(-(n - n_held_out) // worker.n), table.codec.width, blocks.folder, rng.spawn(1)[0]
    )
    apart: list = []
    new: dict = {}
    for block, own in _with_places(blocks, places, n, worker):
        encoded = later(vae, block, table, lambda rows: rows).encoded(new)
        cells = store.add(encoded.x[:], own)
        if len(own):  # no rows of pyarrow would keep all of a block
            apart.append((cells, encoded.offset[own], rows_at(block, own)))
    table.codec.warn_of_new(new, "in the sample of rows that columns are learned from")
    store.holes = bool(mean_of(np.ones(1) * store.holes, worker.n))  # in any worker
    some, offset = table.encoded()
    own = np.flatnonzero(~np.isin(sample.places[table.rows.places], places))
    data = Data(store.stored(), None, offset[own], None, some=some.take(own), shown=sample.table)
    return data._replace(**_judging(judges, apart))


def _with_places(
    blocks: Blocks, places: np.ndarray, n: int, worker: Any
) -> Iterator[tuple[Any, np.ndarray]]:
    """Each block, and which of ascending places of n rows in all are its own.

    Of the rows at other places several workers have a share each, all of the same size.
    """
    start, mine = 0, partial(_is_of, worker, n - len(places))
    for block in alike(blocks):
        stop = start + len(block)
        if stop > n:
            raise _changed(n, "more")
        first, end = np.searchsorted(places, [start, stop])
        apart = places[first:end] - start
        if worker.n > 1:
            others = np.delete(np.arange(len(block)), apart)
            kept = np.union1d(others[mine(start - first + np.arange(len(others)))], apart)
            block, apart = rows_at(block, kept), np.searchsorted(kept, apart)
        if len(block):
            yield block, apart
        start = stop
    if start < n:
        raise _changed(n, start)


def _is_of(worker: Any, n: int, places: np.ndarray) -> np.ndarray:
    """Which places of n rows are in a worker's share; some are in two, so that all are as large."""
    last = (n - 1) // worker.n * worker.n + worker.rank
    return (places % worker.n == worker.rank) | (places == last % n)


def _changed(n: int, now: Any) -> ValueError:
    return ValueError(
        f"Blocks gave {n} rows at first, and {now} the second time; give a function that makes the "
        "same blocks at each call."
    )


def _judging(judges: Encoded | None, apart: list) -> dict:
    """Rows of the user's own that judge training, or those that are held out, block by block."""
    if judges is not None:
        return {"validation": judges.x, "held_out": judges.offset}
    if not apart:
        return {}
    x, offsets, shown = zip(*apart, strict=True)
    cells = np.concatenate(x)
    validation = Dense.of([(slice(None), cells)], cells.shape)
    return {"validation": validation, "held_out": np.concatenate(offsets), "shown": joined(shown)}
