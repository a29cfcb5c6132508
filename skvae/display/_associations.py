"""How strongly columns go together."""

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
    if kind_of(real) == LABEL:
        cells = labels_of(real), labels_of(synthetic)
        levels = levels_of(*cells, most=MOST_LABELS)
        return [in_levels(labels, levels) for labels in cells]
    numbers = numbers_of(real), numbers_of(synthetic)
    if np.isnan(numbers[0]).all():
        return [np.full(len(values), -1) for values in numbers]
    quantiles = np.nanquantile(numbers[0], np.linspace(0, 1, N_BINS + 1))
    edges = np.unique(quantiles[quantiles < quantiles[-1]][1:])
    edges = edges if len(edges) else quantiles[:1]  # nearly all cells have the largest value
    bins = [np.searchsorted(edges, values) for values in numbers]
    return [np.where(np.isnan(own), -1, found) for own, found in zip(numbers, bins, strict=True)]


def _matrix(frame: Any, codes: list) -> Any:
    """The associations of one table."""
    import pandas as pd

    measured = {name: numbers_of(frame[name]) for name in frame if kind_of(frame[name]) != LABEL}
    ranked = pd.DataFrame(measured).corr("spearman", min_periods=FEWEST)
    matrix = ranked.reindex(index=frame.columns, columns=frame.columns)
    for (i, a), (j, b) in combinations(enumerate(frame.columns), 2):
        if not (a in measured and b in measured):
            matrix.iloc[i, j] = matrix.iloc[j, i] = _cramers_v(codes[i], codes[j])
    np.fill_diagonal(values := matrix.to_numpy(float, copy=True), 1)
    return pd.DataFrame(values, matrix.index, matrix.columns)


def _cramers_v(a: np.ndarray, b: np.ndarray) -> float:
    """Of the rows that have both."""
    both = (a >= 0) & (b >= 0)
    counts = (
        contingency.crosstab(a[both], b[both]).count if both.sum() >= FEWEST else np.ones((1, 1))
    )
    return contingency.association(counts, method="cramer") if min(counts.shape) > 1 else np.nan
