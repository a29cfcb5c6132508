"""A column in NumPy, and single values: whether they are holes, and how messages show them."""

import reprlib
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skvae.table._series import NONE, Dtype

# What to do where a column cannot be taken, by how the name of its dtype or its type begins.
ADVICE = {
    "sparse": "give X.sparse.to_coo() for a table of sparse columns, or make it dense with "
    ".sparse.to_dense()",
    "period": "turn it into datetimes, as with .dt.to_timestamp()",
    "interval": "turn its intervals into text, as with .cat.rename_categories(str) or .astype(str)",
    "time": "turn it into numbers, such as seconds since midnight",
    "complex": "give its real and its imaginary part as two columns",
    "int128": "cast it to Int64, or to text if it is an identifier",
    "uint128": "cast it to UInt64, or to text if it is an identifier",
    "date": "turn it into datetimes, as with pd.to_datetime(column)",
    "dictionary": "cast it to the type of its values",
    "decimal": "turn it into floats, as with .astype(float)",
    "longdouble": "turn it into floats, as with .astype(float)",
    "float128": "turn it into floats, as with .astype(float)",
}
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 60


class Values(NamedTuple):
    """A column in NumPy."""

    dtype: Dtype
    # Numbers, times (UTC where there is a zone), durations; of labels their codes, -1 in a hole.
    cells: np.ndarray
    holes: np.ndarray  # (rows,) booleans
    levels: np.ndarray | None = None  # what the codes stand for

    @property
    def meaning(self) -> str:
        """What it holds, in a word; "nothing" where all cells are holes."""
        return "nothing" if self.holes.all() else self.dtype.meaning

    @property
    def textual(self) -> bool:
        """Whether its dtype is one of labels."""
        anything = self.dtype.name.lower() in ("object", "null") and self.holes.all()
        return self.dtype.meaning in ("category", "ordered") and not anything

    def plain(self) -> np.ndarray:
        """Its cells, labels as themselves."""
        if self.levels is None:
            return self.cells
        return np.append(self.levels, NONE)[self.cells]

    def codes(self) -> tuple[np.ndarray, list]:
        """Codes of its cells, -1 in a hole, and what they stand for in Python's own types."""
        if self.levels is not None:
            return self.cells, self.levels.tolist()
        cells = self.cells.view(np.int64) if self.cells.dtype.kind in "mM" else self.cells
        codes, levels = pd.factorize(cells)
        return np.where(self.holes, -1, codes), levels.tolist()

    def take(self, rows: Any) -> "Values":
        """Some of the rows."""
        cells = self.cells[rows]
        holes = self.holes[rows] if self.holes.any() else np.zeros(len(cells), bool)
        return self._replace(cells=cells, holes=holes)

    def first(self, rows: np.ndarray) -> str:
        """The first cell of those rows, as a message shows it."""
        return short(self.plain()[np.argmax(rows)])


def short(value: Any) -> str:
    """A value as a message shows it, in some 60 characters."""
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return str(value)
    value = value.item() if isinstance(value, np.generic) else value
    try:
        shown = SHORT.repr(value)
    except Exception:  # of objects whose repr raises, and of numbers with too many digits
        shown = ""
    return f"<{type(value).__name__}>" if not shown or " at 0x" in shown else shown


def is_hole(value: Any) -> bool:
    """Whether a single value stands for a missing cell."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, (float, np.floating)) and bool(value != value)


def refused(name: Any, what: str, kind: str) -> ValueError:
    """The error for a column that cannot be taken; `kind` names its dtype, or its cells' type."""
    begins = kind.lower()
    advice = next((advice for word, advice in ADVICE.items() if begins.startswith(word)), None)
    return ValueError(
        f"Column {short(name)} {what}, but numbers, booleans, text, categories, datetimes or "
        f"durations are expected; {advice or 'turn it into one of them, or drop it'}."
    )
