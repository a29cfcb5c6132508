"""Tables to compare: numbers as floats, all else as text."""

from collections.abc import Callable
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype

from skvae.display._tables import DURATION, KINDS, LABEL, NUMBER, TIME, kind_of, labels

FEWEST = 10  # rows: with fewer no figure means much
MISSING = "\0missing"  # the label of a hole, where it counts as one; no cell has it
HOLE, MIXED = "hole", "mixed cell"
CELLS = KINDS | {"boolean": NUMBER, "string": "text"}  # what pandas finds in them
BOTH = ["synthetic", "floor"]
MICROSECOND = pd.Timedelta(1, "us")  # times are counted in these, which floats hold for centuries


class Case(NamedTuple):
    """What columns hold, and the tables that there are, by name, made plain."""

    kinds: dict
    tables: dict

    @property
    def real(self) -> pd.DataFrame:
        return self.tables["real"]

    @property
    def synthetic(self) -> pd.DataFrame:
        return self.tables["synthetic"]

    @property
    def test(self) -> pd.DataFrame | None:
        return self.tables.get("test")

    def some(self, most: int) -> "Case":
        """At most so many rows of each table."""
        return self._replace(tables={k: some(table, most) for k, table in self.tables.items()})

    def beside(self, measure: Callable) -> dict:
        """A figure of the synthetic rows, and of those held out, if any."""
        real, *others = self.tables.values()
        return {name: measure(real, rows) for name, rows in zip(BOTH, others, strict=False)}


def case_of(frames: dict) -> Case:
    """Frames as plain tables, by what the columns of the first one hold."""
    real = next(iter(frames.values()))
    kinds, tables = kinds_of(real), {}
    for name, frame in frames.items():
        _check_columns(real, frame, name)
        for column in kinds:
            _check_cells(real[column], frame[column], name)
        tables[name] = plain(frame, kinds, name)
    return Case(kinds, tables)


def keys_of(case: Case) -> list:
    """Columns that tell real rows apart by cells of which no synthetic row has one."""
    counted = [name for name, kind in case.kinds.items() if kind in (NUMBER, LABEL)]
    return [name for name in counted if _is_key(case.real[name], case.synthetic[name])]


def _is_key(real: pd.Series, synthetic: pd.Series) -> bool:
    whole = real.dtype != float or (real % 1 == 0).all()
    return whole and real.is_unique and not synthetic.isin(real).any()


def figures(parts: dict) -> pd.DataFrame:
    """One row a figure, of what `Case.beside` found."""
    return pd.DataFrame(parts, dtype=float).T.reindex(columns=BOTH)


def plain(frame: pd.DataFrame, kinds: dict | None = None, name: str = "X") -> pd.DataFrame:
    """Numbers, times and durations as floats, all else as text; holes are NaN."""
    kinds = kinds or kinds_of(frame)
    return pd.DataFrame({column: _read(frame[column], kinds[column], name) for column in kinds})


def kinds_of(frame: pd.DataFrame) -> dict:
    """What each column holds."""
    return {column: kind_of(frame[column]) for column in frame}


def _read(column: pd.Series, kind: str, name: str) -> pd.Series:
    """A column made plain."""
    if kind == LABEL:
        return labels(column)
    try:
        cells = floats(column, kind)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"Column {column.name!r} of {name} has {kind}s that cannot be counted ({error}); mark "
            "them missing."
        ) from error
    if np.isinf(cells).any():
        raise ValueError(f"Column {column.name!r} of {name} has infinite cells; mark them missing.")
    return cells


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """The same, with a label for holes among labels."""
    return table.apply(lambda x: x if x.dtype == float else x.fillna(MISSING))


def numbers(table: pd.DataFrame) -> list[str]:
    """The columns of floats of a table made plain."""
    return [*table.select_dtypes("float").columns]


def some(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many of the rows, always the same ones."""
    return table if len(table) <= most else table.sample(most, random_state=0)


def floats(column: pd.Series, kind: str) -> pd.Series:
    """Numbers as they are, times since 1970 and durations in microseconds."""
    if kind == TIME:
        times = pd.to_datetime(column, utc=True).dt.as_unit("us")
        column = times - pd.Timestamp(0, tz="UTC").as_unit("us")
    if kind in (TIME, DURATION):
        return (pd.to_timedelta(column) / MICROSECOND).astype(float)
    return pd.Series(column.to_numpy(dtype=float, na_value=np.nan), column.index)


def frame_of(X: Any, name: str) -> pd.DataFrame:
    """A table as a frame of pandas whose columns are named by text."""
    frame = _pandas(X, name)
    if len(frame) < FEWEST or not frame.shape[1]:
        raise ValueError(
            f"{name} has {len(frame)} rows and {frame.shape[1]} columns; a comparison needs "
            f"{FEWEST} rows and a column at least."
        )
    if frame.isna().all(axis=None):
        raise ValueError(f"All cells of {name} are missing, so there is nothing to compare.")
    frame.columns = [str(column) for column in frame.columns]
    _check_names(frame.columns, name)
    return frame.reset_index(drop=True)


def _pandas(X: Any, name: str) -> pd.DataFrame:
    """A frame of any library, or an array, in pandas."""
    if isinstance(X, pd.DataFrame):
        return X.copy(deep=False)
    frame = nw.from_native(X, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, nw.DataFrame):
        return pd.DataFrame({column.name: series(column) for column in frame.iter_columns()})
    return _of_array(np.asarray(X), name)


def series(column: Any) -> pd.Series:
    """A column of another library."""
    return pd.Series(column.to_list())


def _of_array(cells: np.ndarray, name: str) -> pd.DataFrame:
    """The frame of an array."""
    if cells.ndim != 2:
        raise ValueError(
            f"{name} has the shape {cells.shape}, but a table of rows and columns is expected, "
            "such as a DataFrame."
        )
    return pd.DataFrame(cells)


def _check_names(names: pd.Index, table: str) -> None:
    """Refuse two columns of one name."""
    if not names.is_unique:
        twice = names[names.duplicated()][0]
        raise ValueError(f"{table} has two columns called {twice!r}; rename one.")


def _check_columns(real: pd.DataFrame, frame: pd.DataFrame, name: str) -> None:
    """Refuse a table with other columns."""
    lacks = real.columns.difference(frame.columns, sort=False).tolist()
    more = frame.columns.difference(real.columns, sort=False).tolist()
    if lacks or more:
        raise ValueError(
            f"{name} must have the columns of real, but it lacks {lacks} and has {more} that real "
            "has not."
        )


def _check_cells(real: pd.Series, column: pd.Series, name: str) -> None:
    """Refuse a column with cells of another kind than those of the real one."""
    known, found = _cells_of(real), _cells_of(column)
    unlike = found not in (known, HOLE) and known != HOLE
    if unlike and (kind_of(real) != LABEL or MIXED not in (known, found)):
        raise ValueError(
            f"Column {column.name!r} holds {known}s in real, but {found}s in {name}; give it the "
            "same kind of cells."
        )


def _cells_of(column: pd.Series) -> str:
    """What the cells of a column are, whatever its dtype."""
    cells = column.dropna()
    kind = kind_of(cells) if len(cells) else HOLE
    return kind if kind != LABEL else CELLS.get(infer_dtype(cells.astype(object)), MIXED)
