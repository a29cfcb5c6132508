"""Rows in an order of their own, each as often as it weighs.

The order is that of their content, so that neither that of X nor whether a row comes twice or
weighs 2 makes a difference to what is learned.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from pandas.util import hash_array

from skvae._sklearn import check_sample_weight
from skvae.table._input import Rows
from skvae.table._values import Values

MOST_TIMES, MANY = 16, 100_000  # that whole weights may repeat rows in the mean, or in all
TIMES = 2  # in the mean, where only shares count
EXACT = 1e-12  # relative error of a whole number of times
STEP = 2**40  # between the codes of two columns
HOLE = np.uint64(STEP - 1)


def arranged(rows: Rows, weight: Any, rng: np.random.Generator) -> Rows:
    """The rows in the order of their content, each as often as `weight` (rows,) says, or once.

    A ValueError where these are no weights.
    """
    if weight is None:
        return rows.at(np.argsort(_keys(rows), kind="stable"))
    weight = weights_of(rows.n, weight)
    some = np.flatnonzero(weight)
    order = some[np.lexsort([weight[some], _keys(rows.at(some))])]
    times, counts = _counts(weight[order], rng)
    return rows.at(np.repeat(order, counts), times)


def weights_of(n: int, weight: Any) -> np.ndarray:
    """Weights of n rows, checked."""
    weight = check_sample_weight(weight, np.empty(n), dtype=np.float64, ensure_non_negative=True)
    if not weight.any():  # scikit-learn before 1.9 takes it
        raise ValueError("sample_weight is 0 for each row, but some have to weigh more.")
    return weight


def _counts(weight: np.ndarray, rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """How often rows come in the mean for each one that there is, and each of them.

    Whole numbers say it, or times the smallest one. Others are shares, whose counts are drawn: the
    nearest whole numbers below or above, with the share as their mean.
    """
    for unit in (1.0, weight.min()):
        counts = _whole(weight, unit)
        if counts is not None:
            return 1, counts
    n = TIMES * len(weight)
    return TIMES, _shares(n, np.cumsum(weight / weight.max()), rng.random())


def _whole(weight: np.ndarray, unit: float) -> np.ndarray | None:
    """How many units weights are, if they are whole numbers and not too many."""
    most = max(MOST_TIMES * len(weight), MANY)
    if weight.max() / most > unit:
        return None
    counts = np.rint(weight / unit)
    whole = np.allclose(counts * unit, weight, rtol=EXACT, atol=0)
    return counts.astype(np.int64) if whole and counts.sum() <= most else None


def _shares(n: int, ends: np.ndarray, start: float) -> np.ndarray:
    """Counts that are n in all, of the spans between ends, from a place in [0, 1) on."""
    counted = np.floor(n * (ends / ends[-1]) + start)
    return np.diff(counted, prepend=0.0).astype(np.int64)


def _keys(rows: Rows) -> np.ndarray:
    """Numbers that rows share only if they are equal, but for a chance of one in 2 ** 64.

    They go by the order of numbers in their column, which a change of units leaves as it is.
    """
    if not rows.sparse:
        columns = enumerate(rows.columns())
        return sum(hash_array(_codes(column) + np.uint64(j * STEP)) for j, column in columns)
    values = rows.values if rows.places is None else rows.values[rows.places]
    values, keys = values.tocsc(), np.zeros(rows.n, np.uint64)
    for j, (start, stop) in enumerate(pairwise(values.indptr)):
        here, n = values.indices[start:stop], stop - start
        cells = np.append(
            values.data[start:stop], np.zeros(int(n < rows.n))
        )  # one 0 for all others
        codes = hash_array(_ranks(cells, np.isnan(cells)) + np.uint64(j * STEP))
        keys[here] += codes[:n] - codes[-1]
        keys += codes[-1]
    return keys


def _codes(column: Values) -> np.ndarray:
    """Numbers that tell cells apart."""
    if column.levels is None:
        return _ranks(column.cells, column.holes)
    text = [f"{type(level).__name__} {level!r}" for level in column.levels]
    levels = hash_array(np.array(text, object), categorize=False)
    return np.append(levels, HOLE)[column.cells]


def _ranks(cells: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """The places of cells among those that differ."""
    return np.where(holes, HOLE, np.unique(cells, return_inverse=True)[1].astype(np.uint64))
