"""Rows in an order of their own, each as often as it weighs.

The order is that of their content, so that neither that of X nor whether a row comes twice or
weighs 2 makes a difference to what is learned.
"""

from typing import Any

import numpy as np
import pandas as pd

from skvae._sklearn import check_sample_weight
from skvae.table._input import Rows
from skvae.table._values import Values

MOST_TIMES, MANY = 16, 100_000  # that whole weights may repeat rows in the mean, or in all
TIMES, MOST_SHARES = 2, 4  # in the mean, where shares count: drawn, and where they are exact
EXACT = 1e-12  # relative error of a whole number of times


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
    """Numbers that rows share only if they are equal, (rows,).

    They go by the order of numbers in their column, which a change of units leaves as it is.
    """
    keys, tied = np.zeros(rows.n, np.int64), np.arange(rows.n)
    for column in rows.columns():
        tied = _told_apart(keys, tied, _codes(column.take(tied)))
        if not len(tied):
            break
    return keys


def _told_apart(keys: np.ndarray, tied: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Give tied rows, which come by their keys, other keys where their codes differ.

    These are the places that they would be sorted to. Rows that still share theirs are given back.
    """
    before = keys[tied]
    opens = np.append(True, before[1:] != before[:-1])
    splits = (codes[1:] != codes[:-1]) & ~opens[1:]
    if not splits.any():
        return tied
    some = np.flatnonzero(np.isin(before, before[1:][splits]))
    order = some[np.lexsort([codes[some], before[some]])]
    tied[some], codes, opens = tied[order], codes[order], opens[some]
    begins = opens | np.append(True, codes[1:] != codes[:-1])
    place = np.arange(len(some))
    own, shared = (np.maximum.accumulate(place * first) for first in (begins, opens))
    keys[tied[some]] += own - shared
    return np.delete(tied, some[begins & np.append(begins[1:], True)])


def _codes(column: Values) -> np.ndarray:
    """Numbers that tell cells apart, -1 in a hole where there are any."""
    cells, holes = column.cells, column.holes
    if column.levels is not None:
        text = [f"{type(level).__name__} {level!r}" for level in column.levels]
        ranks = pd.factorize(np.array(text, object), sort=True)[0]
        return np.append(ranks, -1)[cells]
    if not holes.any():
        return cells
    ranks = np.full(len(cells), -1)
    ranks[~holes] = np.unique(cells[~holes], return_inverse=True)[1]
    return ranks
