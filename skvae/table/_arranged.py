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
TIMES, MOST_SHARES = 2, 4  # in the mean, where shares count: drawn, and where they are exact
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
    told = np.repeat(order, counts.clip(min=1))
    return rows.at(np.repeat(order, counts), times, told)


def weights_of(n: int, weight: Any) -> np.ndarray:
    """Weights of n rows, checked."""
    weight = check_sample_weight(weight, np.empty(n), dtype=np.float64, ensure_non_negative=True)
    if not weight.any():  # scikit-learn before 1.9 takes it
        raise ValueError("sample_weight is 0 for each row, but some have to weigh more.")
    return weight


def _counts(weight: np.ndarray, rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """How often rows come in the mean where weights are shares, else 1, and each of them.

    Whole numbers say it. Others are shares: times of the smallest one, if they are few, or drawn,
    the nearest whole numbers below or above with the share as their mean.
    """
    n = len(weight)
    counts = _whole(weight, 1.0, max(MOST_TIMES * n, MANY))
    if counts is not None:
        return 1.0, counts
    counts = _whole(weight, weight.min(), MOST_SHARES * n)
    if counts is None:
        counts = _shares(TIMES * n, np.cumsum(weight / weight.max()), rng.random())
    return counts.mean(), counts


def _whole(weight: np.ndarray, unit: float, most: int) -> np.ndarray | None:
    """How many units weights are, if they are whole numbers and not too many in all."""
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
    ranks = np.full(len(cells), HOLE)
    ranks[~holes] = np.unique(cells[~holes], return_inverse=True)[1]
    return ranks
