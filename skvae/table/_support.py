"""Which values likelihoods may give: every refusal of one that cannot have come from its own."""

from typing import Any

import numpy as np

from skvae.likelihoods._base import Likelihood
from skvae.table._values import Values, short


def check_labels(name: Any, column: Values, likelihood: Likelihood) -> None:
    """Refuse labels where numbers are needed."""
    if column.textual and not likelihood.over_levels:
        raise ValueError(
            f"Column {short(name)} holds labels (dtype {column.dtype.name}), but "
            f"{type(likelihood).__name__} needs {likelihood.support}; leave it to "
            f"likelihood='auto', or give {{{short(name)}: 'categorical'}}."
        )


def first_unsupported(name: Any, numbers: np.ndarray, likelihood: Likelihood) -> list[tuple]:
    """Of a column the number that a likelihood cannot give, as `check_supported` takes it."""
    if likelihood.over_levels:
        return []
    low = np.fmin.reduce(numbers, initial=np.inf)
    high = np.fmax.reduce(numbers, initial=-np.inf)
    with np.errstate(over="ignore"):
        wide = high > low and not np.isfinite(high - low)
    if wide:
        raise ValueError(
            f"Column {short(name)} ranges from {low:.3g} to {high:.3g}, which float64 cannot "
            "subtract; divide it."
        )
    found = unsupported(numbers[:, None], likelihood)
    return [(name, likelihood, row, value) for _, row, value in found]


def unsupported(numbers: np.ndarray, likelihood: Likelihood) -> list[tuple]:
    """Column, row and value of the smallest number of each column that a likelihood cannot give."""
    fits = likelihood.supports(numbers)
    if fits.all():
        return []
    bad, found = ~fits & ~np.isnan(numbers), []
    for j in np.flatnonzero(bad.any(axis=0)):
        rows = np.flatnonzero(bad[:, j])
        row = rows[numbers[rows, j].argmin()]
        found.append((j, row, numbers[row, j]))
    return found


def check_supported(wrong: list[tuple]) -> None:
    """Refuse the first of wrong values, negative ones first: name, likelihood, row and value."""
    if not wrong:
        return
    negative = [cell for cell in wrong if cell[1].positive_only and cell[3] < 0]
    name, likelihood, row, value = (negative or wrong)[0]
    begin = "Negative values in data: " if negative else ""
    counts = ", or 'negative_binomial' for counts" if value > 1 and value == round(value) else ""
    raise ValueError(
        f"{begin}{type(likelihood).__name__} needs {likelihood.support}, but column {short(name)} "
        f"has {value:.6g} (row {row}). Choose another likelihood, such as likelihood='gaussian'"
        f"{counts}, or transform that column."
    )
