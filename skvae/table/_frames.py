"""Whole tables of any library: columns and names as plain data, and tables made of columns."""

from datetime import date, datetime
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from skvae.table._values import short

# Types that the names of columns may have, or tuples of them.
NAMES = (str, bool, int, float, date, type(None))


class Frame(NamedTuple):
    """What tables look like, as plain data."""

    library: str  # "numpy" for arrays, "pandas", "polars" or "pyarrow"
    names: tuple  # of the columns; their numbers in an array
    axis: tuple = ()  # of pandas: the dtype of the names, and what they are called, level by level

    @classmethod
    def of(cls, X: Any, names: tuple) -> "Frame":
        """That of a table with so named columns, or a ValueError where the names cannot be kept."""
        X = frame_of(X)
        if X is None:
            return cls("numpy", names)
        library: Any = _library(X)
        axis: tuple = ()
        if library == "pandas":
            axis = str(X.columns.dtype), tuple(map(_plain, X.columns.names))
        frame = cls(library, names, axis)
        if library == "pandas" and not _same(frame, X.columns):
            raise ValueError(
                f"The columns of X are named by a {type(X.columns).__name__} of dtype "
                f"{X.columns.dtype}, whose names cannot be kept; name them by text or numbers."
            )
        return frame

    def table(self, columns: list, n: int, like: Any) -> Any:
        """Native columns of n rows as a table; a pandas index is that of `like`, repeated."""
        if self.library == "numpy":
            return _stacked(columns)
        if self.library == "polars":
            import polars as pl

            return pl.DataFrame(dict(zip(self.names, columns, strict=True)))
        if self.library == "pyarrow":
            import pyarrow as pa

            return pa.table(columns, names=list(self.names))
        return self._of_pandas(columns, n, like)

    def _of_pandas(self, columns: list, n: int, like: Any) -> pd.DataFrame:
        frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(n))
        frame.columns = self._index()
        if hasattr(like, "iloc"):
            frame.index = like.index.take(np.arange(n) % len(like))
        return frame

    def _index(self) -> pd.Index:
        dtype, called = self.axis
        if len(called) > 1:
            return pd.MultiIndex.from_tuples(self.names, names=called)
        numbered = self.names == tuple(range(len(self.names)))
        if numbered and set(map(type, self.names)) == {int}:
            return pd.RangeIndex(len(self.names), name=called[0])
        names = [pd.Timestamp(name) if isinstance(name, datetime) else name for name in self.names]
        return pd.Index(names, dtype=dtype, name=called[0], tupleize_cols=False)


def _stacked(columns: list) -> np.ndarray:
    """Columns as an array; one of objects where no common dtype holds them all."""
    array = np.column_stack(columns)
    if len({column.dtype for column in columns}) == 1:
        return array.astype(columns[0].dtype, copy=False)  # in its byte order
    with np.errstate(invalid="ignore"):
        pairs = zip(array.T, columns, strict=True)
        same = all((own.astype(c.dtype) == c)[~pd.isna(c)].all() for own, c in pairs)
    return array if same else np.column_stack([column.astype(object) for column in columns])


def _same(frame: Frame, columns: pd.Index) -> bool:
    try:
        no_nan = all(name == name for name in frame.names)
        return frame._index().equals(columns) and no_nan
    except (TypeError, ValueError):
        return False


def frame_of(X: Any) -> Any:
    """X if it is a DataFrame of pandas, polars or pyarrow; another's as pandas; else None."""
    if not _library(X):
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        return frame.to_pandas() if isinstance(frame, nw.DataFrame) else None
    names = names_of(X)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"X has several columns named {short(twice)}, but names must differ; rename them."
        )
    return X


def names_of(X: Any) -> tuple:
    """The names of a frame's columns in Python's own types."""
    names = X.column_names if hasattr(X, "column_names") else X.columns
    return tuple(map(_plain, names))


def columns_of(frame: Any) -> list:
    """The native columns of a frame."""
    library = _library(frame)
    if library == "pandas":
        return [column for _, column in frame.items()]
    return frame.get_columns() if library == "polars" else frame.columns


def cut(column: Any, rows: slice | np.ndarray) -> Any:
    """Some cells of a native column: neighbours, or those at places."""
    if hasattr(column, "iloc"):
        turned = isinstance(column.dtype, np.dtype) and not column.dtype.isnative
        column = column.astype(column.dtype.newbyteorder("=")) if turned else column
        return column.iloc[rows]
    if isinstance(rows, slice):
        return column.slice(rows.start, rows.stop - rows.start)
    return column.take(rows) if hasattr(column, "take") else column.gather(rows)


def _library(X: Any) -> str | None:
    if nw.dependencies.is_pandas_dataframe(X):
        return "pandas"
    if nw.dependencies.is_polars_dataframe(X):
        return "polars"
    return "pyarrow" if nw.dependencies.is_pyarrow_table(X) else None


def _plain(name: Any) -> Any:
    """A name in Python's own types: 2020, not np.int64(2020)."""
    if isinstance(name, tuple):
        return tuple(map(_plain, name))
    if isinstance(name, pd.Timestamp) and not name.nanosecond:
        return name.to_pydatetime()
    if isinstance(name, np.generic):
        return name.item()
    return name if isinstance(name, NAMES) else str(name)
