"""Tables as pictures need them: frames of pandas, kinds of columns, numbers, labels."""

from typing import Any, NamedTuple

import numpy as np

NUMBER, TIME, DURATION, LABEL = "number", "time", "duration", "label"
KINDS = {  # what pandas finds in cells
    "integer": NUMBER,
    "floating": NUMBER,
    "decimal": NUMBER,
    "mixed-integer-float": NUMBER,
    "date": TIME,
    "datetime": TIME,
    "datetime64": TIME,
    "timedelta": DURATION,
    "timedelta64": DURATION,
}
SECONDS = 86_400  # of a day, in which matplotlib counts


class Others(NamedTuple):
    """So many labels, the rarest, together; no text, since a label may be called "others"."""

    n: int

    def __str__(self) -> str:
        return f"{self.n} others"


def frame_of(X: Any, names: Any = None) -> Any:
    """A frame of pandas from one of any library, or from an array."""
    import pandas as pd

    if isinstance(X, pd.DataFrame):
        return X
    if hasattr(X, "columns"):
        import narwhals as nw

        table = nw.from_native(X, eager_only=True)
        return pd.DataFrame({name: table[name].to_list() for name in table.columns})
    return pd.DataFrame(X.toarray() if hasattr(X, "toarray") else np.asarray(X), columns=names)


def series_of(y: Any) -> Any:
    """A series of pandas from one of any library, an array or a list."""
    from pandas import Series

    if isinstance(y, Series):
        return y
    return Series(y.to_list() if hasattr(y, "to_list") else np.ravel(y))


def kind_of(column: Any) -> str:
    """What a column holds: numbers, times, durations or labels."""
    import pandas as pd
    from pandas.api import types

    if types.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
        return LABEL
    if types.is_numeric_dtype(column.dtype):
        return NUMBER
    return KINDS.get(types.infer_dtype(column, skipna=True), LABEL)


def numbers_of(column: Any) -> np.ndarray:
    """A column of numbers or times as floats, NaN in holes; times and durations in days."""
    import pandas as pd

    kind = kind_of(column)
    if kind == TIME:
        column = pd.to_datetime(column, utc=True) - pd.Timestamp(0, tz="UTC")
    if kind in (TIME, DURATION):
        column = pd.to_timedelta(column).dt.total_seconds() / SECONDS
    return pd.to_numeric(column).to_numpy(float, na_value=np.nan)


def labels(column: Any) -> Any:
    """A column as text, NaN in holes; 1, 1.0 and True are one label."""
    cells = column.astype(object).where(column.notna(), np.nan)
    return cells.map(_text, na_action="ignore").astype(object)


def _text(level: Any) -> str:
    """A label as text."""
    whole = isinstance(level, bool | np.bool_ | float | np.floating) and level % 1 == 0
    return str(int(level) if whole else level)


def labels_of(*columns: Any) -> list:
    """Columns as arrays of text, None in holes; truth values by their names, if these are free."""
    from pandas.api.types import infer_dtype

    names, text = {"0": "False", "1": "True"}, [labels(column) for column in columns]
    flags = any(infer_dtype(column.astype(object), skipna=True) == "boolean" for column in columns)
    if flags and not any(own.isin(names.values()).any() for own in text):
        text = [own.replace(names) for own in text]
    return [np.where(own.isna(), None, own) for own in text]


def levels_of(*columns: Any, most: int) -> list:
    """The labels of some arrays, by the sum of their shares; the rarest together if too many."""
    import pandas as pd

    shares = [pd.Series(own, dtype=object).value_counts(normalize=True) for own in columns]
    ranked = pd.concat(shares).groupby(level=0, sort=False).sum()
    levels = list(ranked.sort_values(ascending=False, kind="stable").index)
    rest = len(levels) - most + 1
    return levels if rest <= 1 else [*levels[: most - 1], Others(rest)]


def in_levels(cells: np.ndarray, levels: list) -> np.ndarray:
    """The number of each label among levels, -1 in holes."""
    places = {level: i for i, level in enumerate(levels)}
    others = next((i for level, i in places.items() if isinstance(level, Others)), -1)
    return np.array([-1 if label is None else places.get(label, others) for label in cells], int)


def n_rows_of(X: Any) -> int:
    """How many rows a table of any kind has."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def telling(scores: np.ndarray, most: int) -> np.ndarray:
    """Where the highest scores are, in the order of the table."""
    return np.sort(np.argsort(-np.nan_to_num(scores), kind="stable")[:most])


def most_telling(scores: dict, most: int) -> list:
    """The names of the highest scores, in the order of the table."""
    names = list(scores)
    return [names[i] for i in telling(np.array([*scores.values()], float), most)]


def row_of(frame: Any, i: int) -> Any:
    """A row: an array where columns are numbered, else a Series."""
    row = frame.iloc[i]
    return row.to_numpy() if type(frame.columns).__name__ == "RangeIndex" else row


def deviation(column: Any) -> float:
    """The standard deviation of numbers or times, 1 of what does not vary."""
    numbers = numbers_of(column)
    numbers = numbers[np.isfinite(numbers)]
    return (numbers.std() if len(numbers) else 0.0) or 1.0


def movement(column: Any, like: Any) -> float:
    """How much a column varies: in deviations of another, or the share of other labels."""
    if kind_of(column) == LABEL:
        return 1 - column.value_counts(normalize=True).max()
    return np.nanstd(numbers_of(column)) / deviation(like)
