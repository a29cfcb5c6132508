"""How strongly columns go together."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import contingency

from skvae.display._tables import LABEL, in_levels, kind_of, labels_of, levels_of, numbers_of

N_BINS = 10  # of numbers beside labels
MOST_LABELS = 20
FEWEST = 10  # rows that have both cells


def associations(real: Any, synthetic: Any) -> list:
    """Between the columns of two frames, a frame of each; NaN where rows are few or all alike.

    Spearman's rank correlation of numbers and times, and Cramér's V where labels are involved, for
    which numbers are binned by quantiles of the real ones.
    """
    codes = [_codes(real[name], synthetic[name]) for name in real.columns]
    frames = zip((real, synthetic), zip(*codes, strict=True), strict=True)
    return [_matrix(frame, own) for frame, own in frames]


def _codes(real: Any, synthetic: Any) -> list:
    """The cells of a column of both tables as places among labels or bins, -1 in holes."""
    if kind_of(real) != LABEL:
        numbers = numbers_of(real), numbers_of(synthetic)
        return [_in_bins(own, numbers[0][~np.isnan(numbers[0])]) for own in numbers]
    cells = labels_of(real, synthetic)
    levels = levels_of(*cells, most=MOST_LABELS)
    return [in_levels(labels, levels) for labels in cells]


def _in_bins(numbers: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The place of each number among quantiles of real ones, -1 in holes."""
    if not len(real):
        return np.full(len(numbers), -1)
    quantiles = np.quantile(real, np.linspace(0, 1, N_BINS + 1))
    edges = np.unique(quantiles[1:][quantiles[1:] < quantiles[-1]])
    edges = edges if len(edges) else quantiles[:1]  # nearly all cells have the largest value
    return np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers))


def _matrix(frame: Any, codes: Sequence) -> Any:
    """The associations of one table."""
    names = list(frame.columns)
    measured = {name: numbers_of(frame[name]) for name in names if kind_of(frame[name]) != LABEL}
    ranked = type(frame)(measured).corr("spearman", min_periods=FEWEST)
    values = ranked.reindex(index=names, columns=names).to_numpy(float, copy=True)
    for i, j in combinations(range(len(names)), 2):
        if names[i] not in measured or names[j] not in measured:
            values[i, j] = values[j, i] = _cramers_v(codes[i], codes[j])
    np.fill_diagonal(values, 1)
    return type(frame)(values, names, names)


def _cramers_v(a: np.ndarray, b: np.ndarray) -> float:
    """Of the rows that have both, without what chance adds in few of them (Bergsma 2013)."""
    both = (a >= 0) & (b >= 0)
    if both.sum() < FEWEST or min(len(set(a[both])), len(set(b[both]))) < 2:
        return np.nan
    counts = contingency.crosstab(a[both], b[both]).count
    levels, n = np.array(counts.shape), counts.sum() - 1
    square = contingency.association(counts, method="cramer") ** 2 * (levels.min() - 1)
    most = (levels - (levels - 1) ** 2 / n).min() - 1
    square = max(0.0, square - np.prod(levels - 1) / n)
    return np.sqrt(min(1.0, square / most)) if most > 0 else np.nan
