"""What a user may want to mend in a table before a model learns it, in one warning."""

import re
from typing import Any

import numpy as np

from skvae._sklearn import warn
from skvae.likelihoods._base import mean_and_deviation, n_far, near_ends
from skvae.table._aside import FEWEST, how_made
from skvae.table._columns import Feature
from skvae.table._formats import Numbers
from skvae.table._input import Rows, listed
from skvae.table._values import Values

FAR = 100  # deviations of the other values
LABELS = 10  # so many different ones may well be codes
LOOKED_AT = 1000  # labels that tell whether all are times or numbers
MOST = 0.9  # share of them that are, the others being words for holes and the like
REPEATED = 0.2  # share of a float column that one value has by no chance
DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d\d))([ T]\d.*)?"
)
NUMBER = re.compile(
    r"[$€£]?[-+]?((0|[1-9]\d*)([.,]\d+)?|[.,]\d+)(e[-+]?\d+)?( ?[%$€£]| [a-z]{1,5})?",  # no 0123
    re.IGNORECASE,
)


def warn_of_doubts(rows: Rows, features: tuple[Feature, ...], known: Any) -> None:
    """One warning of what is odd in columns, but for those that are known."""
    if rows.sparse or rows.n < FEWEST:
        return
    found: dict[str, list] = {says: [] for says in DOUBTS.values()}
    for feature, column in zip(features, rows.columns(), strict=True):  # one in memory at a time
        if feature.varies and feature.name not in known and not column.holes.all():
            for holds, says in DOUBTS.items():
                found[says] += [feature.name] * holds(feature, column)
    texts = [f"{says}: {listed(names)}" for says, names in found.items() if names]
    if texts:
        warn(f"Columns that may want another look before fit. {'; '.join(texts)}.")


def _means_numbers(feature: Feature, column: Values) -> bool:
    return _all_read_as(NUMBER, column)


def _means_times(feature: Feature, column: Values) -> bool:
    return _all_read_as(DATE, column)


def _all_read_as(pattern: re.Pattern, column: Values) -> bool:
    """Whether most labels are text of that form, and more than codes may be."""
    labels = column.codes()[1][:LOOKED_AT] if column.dtype.meaning == "category" else ()
    if len(labels) <= LABELS or not all(isinstance(label, str) for label in labels):
        return False
    return sum(bool(pattern.fullmatch(label.strip())) for label in labels) >= MOST * len(labels)


def _identifies(feature: Feature, column: Values) -> bool:
    means = _means_numbers(feature, column) or _means_times(feature, column)
    return not means and how_made(feature.name, column) is not None


def _is_whole_but_for_holes(feature: Feature, column: Values) -> bool:
    """Whether pandas, which has no holes among plain integers, made it floats."""
    given = column.dtype
    if given.meaning != "float" or given.library != "pandas" or not column.holes.any():
        return False
    seen, how = _seen(column), feature.format
    whole = isinstance(how, Numbers) and how.resolution == 0 and (np.rint(seen) == seen).all()
    return bool(whole) and len(np.unique(seen)) > 2


def _has_far(feature: Feature, column: Values) -> bool:
    return column.dtype.meaning in ("float", "integer") and _reach(_seen(column)) >= FAR


def _repeats(feature: Feature, column: Values) -> bool:
    """Whether floats that have a density for want of a choice pile up at one of many values."""
    asked = column.dtype.meaning != "float" or "float" not in feature.likelihood.auto_for
    if asked or not isinstance(feature.name, str):  # pixels pile up too
        return False
    values, counts = np.unique(_seen(column), return_counts=True)
    often = counts.max() >= REPEATED * counts.sum() and len(values) > LABELS
    return bool(often and (np.rint(values) != values).any())


def _reach(X: np.ndarray) -> float:
    """How many deviations of the values that are not far the farthest one lies off, about."""
    share = 2 * n_far(len(X)) / len(X)
    # the farthest of such a share, FAR deviations of the others off, would be farther off than this
    ends = X.min(), X.max()
    if _off(np.array(ends), X) < (1 - share) / (1 / FAR + share**0.5):
        return 0.0
    near = near_ends(np.sort(X))
    if near == ends:
        return 0.0
    return _off(X[(near[0] > X) | (near[1] < X)], X.clip(*near))


def _off(X: np.ndarray, others: np.ndarray) -> float:
    """How many deviations of others the farthest value lies off their mean."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = mean_and_deviation(others)
        return float(np.abs(X / deviation - mean / deviation).max(initial=0.0))


def _seen(column: Values) -> np.ndarray:
    seen = column.plain()[~column.holes] if column.holes.any() else column.plain()
    return seen.astype(np.float64)


DOUBTS = {
    _means_numbers: "Text that means numbers, to be turned into these as with pd.to_numeric, "
    "without units and decimal commas",
    _means_times: "Text that means times, to be turned into these as with pd.to_datetime",
    _identifies: "Identifiers or free text, of which nothing can be learned, to be dropped if "
    "they are",
    _is_whole_but_for_holes: "Whole numbers that are floats for their holes alone, to be made "
    "integers, which come back whole, as with X.convert_dtypes()",
    _repeats: "Floats of which a fifth or more are one value, as 0 often is, whose share "
    'likelihood={name: "histogram"} keeps',
    _has_far: f"A value {FAR} deviations or more from all others, to be mended if wrong",
}
