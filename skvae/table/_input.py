"""X to checked rows: every refusal of input."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from os import PathLike
from types import FunctionType
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse
from sklearn.utils.validation import validate_data

from skvae.table._dtypes import inferred, of_array, read
from skvae.table._frames import Frame, columns_of, cut, frame_of, names_of
from skvae.table._values import Values, short

FLOATS = (np.float64, np.float32)
FLOATING = ("float", "double", "half")  # how libraries begin the names of such dtypes
ROWS, NUMBERS = 8192, 2**21  # most rows, and most numbers, converted to float64 at once
IN_CACHE = 2**16  # the same where parts cost nothing: what a core keeps near while it works on them
COUNTS = 2**24  # float32 holds all whole numbers up to there
EAGER = {"DASK": "compute", "DUCKDB": "df", "PYSPARK": "toPandas", "IBIS": "to_pandas"}
IN_BLOCKS = {"DASK", "POLARS"}  # libraries whose queries may be gone through
SINGLE = {"float32", "Float32", "float[pyarrow]", "float"}  # what libraries call it


class Rows(NamedTuple):
    """A checked table: columns of a frame, or an array of floats and the array it was made from."""

    names: tuple  # of the columns; their numbers in an array
    n: int
    frame: list | None  # native columns
    values: Any  # an array, or csr_array, NaN in holes
    given: Any  # an array, csr_array or csc_array
    places: Any = None  # of these rows in the table; None: all of its own, in turn
    times: float = 1.0  # that rows come in the mean where their weights are shares
    told: np.ndarray | None = None  # places with those that come not once for their small shares
    kind: str | None = None  # of all columns of a sparse table of whole numbers

    @property
    def sparse(self) -> bool:
        return issparse(self.values)

    @property
    def dtype(self) -> np.dtype:
        """float32 where every column is, else float64."""
        if self.frame is None:
            return self.values.dtype
        single = all(
            str(getattr(column, "dtype", None) or column.type) in SINGLE for column in self.frame
        )
        return np.dtype(np.float32 if single else np.float64)

    def at(self, places: np.ndarray, times: float = 1.0, told: Any = None) -> "Rows":
        """Rows at places of the table."""
        return self._replace(n=len(places), places=places, times=times, told=told)

    @property
    def telling(self) -> "Rows":
        """The rows that say what columns hold: all that weigh."""
        return self if self.told is None else self.at(self.told, self.times)

    @property
    def as_given(self) -> "Rows":
        """The rows of the table in turn; one before it stands for each that is left out."""
        if self.places is None:
            return self
        n = len(self.frame[0]) if self.frame is not None else self.values.shape[0]
        kept = np.unique(self.places)
        if len(kept) == n:
            return self._replace(n=n, places=None, times=1.0, told=None)
        last = np.searchsorted(kept, np.arange(n), side="right") - 1
        return self.at(kept[last.clip(min=0)])

    def column(self, j: int) -> Values:
        """A column in NumPy."""
        if self.frame is not None:
            return self._placed(read(self.names[j], self.frame[j]))
        if issparse(self.given):
            return self._values(j, self.given[:, [j]].toarray()[:, 0])
        return self._values(j, self.given[:, j])

    def by_column(self) -> "Rows":
        """The same, quick to read column by column."""
        return self._replace(given=self.given.tocsc()) if issparse(self.given) else self

    def columns(self) -> Iterator[Values]:
        """Each column; an array is turned over a few columns at a time."""
        if self.frame is not None:
            yield from map(self.column, range(len(self.names)))
            return
        given = self.by_column().given
        width = max(1, NUMBERS // given.shape[0])
        for start in range(0, len(self.names), width):
            block = given[:, start : start + width]
            block = _turned(block.toarray() if self.sparse else block)
            for j, cells in enumerate(block, start):
                yield self._values(j, cells)

    def _values(self, j: int, cells: np.ndarray) -> Values:
        column = of_array(self.names[j], cells, "numpy", self.kind)
        if cells.dtype.kind != "f" and not self.sparse:  # of a masked array
            column = column._replace(holes=np.isnan(self.values[:, j]))
        return self._placed(column)

    def _placed(self, column: Values) -> Values:
        """The cells of these rows."""
        return column if self.places is None else column.take(self.places)

    def part(self, rows: Any) -> "Rows":
        """Some of the rows, dense."""
        rows = slice(rows.start, min(rows.stop, self.n))
        n = rows.stop - rows.start
        rows = rows if self.places is None else self.places[rows]
        if self.frame is not None:
            return Rows(self.names, n, [cut(column, rows) for column in self.frame], None, None)
        values, given = self.values[rows], self.given[rows]
        if self.sparse:
            values, given = values.toarray(), given.tocsc()
        return Rows(self.names, n, None, values, given)


def checked(estimator: Any, X: Any, *, reset: bool, like: Frame | None = None) -> Rows:
    """X as scikit-learn checks it; holes may be, infinities not. `like` is what fit saw, if any."""
    _check_kind(X)
    frame = frame_of(X)
    if frame is None and like is not None and like.library != "numpy":
        cells = as_objects(X, "X") if isinstance(X, (list, tuple, np.ndarray)) else np.zeros(1)
        if cells.dtype.kind in "OUS" and cells.ndim == 2:
            # An array of text or objects after a fit of a frame: its columns in turn.
            cells = np.array(X, dtype=object)
            validate_data(estimator, np.zeros(cells.shape), reset=False)
            frame = pd.DataFrame(cells, dtype=object).apply(inferred)
            return _of_frame(estimator, frame, like.names)
    if frame is None:
        of = _of_masked if np.ma.isMaskedArray(X) else _of_array
        rows = of(estimator, X, reset)
        return rows if like is None else rows._replace(names=like.names)
    rows = _of_frame(estimator, frame, names_of(frame))
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if like is None:
        return rows
    _check_names(rows.names, like)
    return rows._replace(names=like.names)


def _check_kind(X: Any) -> None:
    """Refuse what is no table, and say what to do first."""
    kind, advice = f"a {type(X).__name__}", None
    if X is None:
        kind, advice = "None", "give a DataFrame or an array"
    elif hasattr(X, "to_frame"):
        advice = "a column is one as df[['name']], a row as df.iloc[[0]]"
    elif isinstance(X, (str, PathLike)):
        kind, advice = (
            "a path",
            (
                "read it first, as with pd.read_csv(path) or pd.read_parquet(path), or let "
                "skvae.Blocks.of_parquet(path) go through it"
            ),
        )
    elif hasattr(X, "scanner") and hasattr(X, "to_table"):
        advice = "call .to_table() on it first, or let skvae.Blocks.of_dataset(X) go through it"
    elif isinstance(X, Mapping) and not issparse(X):  # one sparse format is a dict too
        advice = "make a table of it first, as with pd.DataFrame(X)"
    elif isinstance(X, (Iterator, set, frozenset)):
        advice = (
            "make a list of it first, with list(X), or, where it gives blocks of a table, let "
            "skvae.Blocks(function) go through what a function makes anew"
        )
    elif isinstance(X, FunctionType):
        advice = "let skvae.Blocks(X) go through the blocks of a table that it makes"
    if advice:
        raise ValueError(f"X is {kind}, but a table of rows and columns is expected; {advice}.")
    check_eager("X", X)


def check_eager(what: str, X: Any) -> None:
    """Refuse a frame that has yet to be read, and say by which method."""
    if isinstance(X, (np.ndarray, pd.DataFrame)):
        return
    name = type(X).__module__.partition(".")[0].upper()
    if name != "DASK":
        frame = nw.from_native(X, pass_through=True)
        if not isinstance(frame, nw.LazyFrame):
            return
        name = frame.implementation.name
    by, method = name.lower(), EAGER.get(name, "collect")
    blocks = f", or, where Blocks are taken, let skvae.Blocks.of_{by}(X) go through it"
    asked = what == "X" and name in IN_BLOCKS
    raise ValueError(
        f"{what} is a {type(X).__name__} of {by}, but a table of rows and columns is expected; "
        f"call .{method}() on it first{blocks * asked}."
    )


def as_objects(X: Any, what: str) -> np.ndarray:
    """A list of rows as an array of objects."""
    try:
        return X if isinstance(X, np.ndarray) else np.array(X, dtype=object)
    except ValueError:
        raise _ragged(what) from None


def _ragged(what: str) -> ValueError:
    return ValueError(
        f"{what} has rows of different lengths, or cells that are lists, but a table with a single "
        "value in each cell is expected; fill up the rows, or leave cells empty with None."
    )


def _of_frame(estimator: Any, frame: Any, names: tuple) -> Rows:
    n, columns = len(frame), columns_of(frame)
    for found, what in ((n, "sample"), (len(columns), "feature")):
        if not found:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={n, len(columns)}) while a minimum of 1 is "
                f"required by {type(estimator).__name__}."
            )
    for name, column in zip(names, columns, strict=True):
        kind = str(getattr(column, "dtype", None) or column.type).lower()
        if kind.startswith(FLOATING):
            _check_finite(read(name, column).cells, name)
    return Rows(names, n, columns, None, None)


def _check_names(names: tuple, like: Frame) -> None:
    """Refuse another order or other names than those of fit, whatever they are."""
    # An array's columns have no names but numbers.
    numbered = like.library == "numpy" and set(names) != set(like.names)
    if names != like.names and not numbered:
        raise ValueError(
            "The feature names should match those that were passed during fit.\nX has the columns "
            f"{listed(names)}, but fit saw {listed(like.names)}: rename them, or put them in that "
            "order."
        )


def _of_masked(estimator: Any, X: np.ma.MaskedArray, reset: bool) -> Rows:
    rows, mask = _of_array(estimator, np.ma.getdata(X), reset), np.ma.getmaskarray(X)
    if not mask.any():
        return rows
    values, given = _with_holes(rows.values, mask), _with_holes(rows.given, mask)
    return rows._replace(values=values, given=given)


def _with_holes(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return values
    return np.where(mask, np.array(np.nan, values.dtype), values)


def _of_array(estimator: Any, X: Any, reset: bool) -> Rows:
    if issparse(X):
        X = csr_array(X)
        if not X.has_canonical_format:  # of several entries a cell is their sum
            X = X.copy()
            X.sum_duplicates()
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    if kind in ("m", "M"):
        raise ValueError(
            f"X is an array of dtype {X.dtype}, but arrays need numbers; give a DataFrame, whose "
            "columns may hold datetimes and durations."
        )
    if kind == "c":
        raise ValueError(
            f"Complex data not supported: X has dtype {X.dtype}; give its real and its imaginary "
            "part as two columns."
        )
    values = _validated(estimator, X, reset)
    _check_all_finite(values)
    given = X if issparse(X) else np.asarray(X)
    given = given if given.dtype.kind in "biuf" else values
    n, width = values.shape
    kind = _kind_of_sparse(values) if issparse(values) else None
    return Rows(tuple(range(width)), n, None, values, given, kind=kind)


def _kind_of_sparse(values: csr_array) -> str | None:
    """The kind "boolean" where all cells are 0 or 1, "count" of other counts, else None."""
    cells = values.data[~np.isnan(values.data)]
    if (np.floor(cells) != cells).any() or cells.min(initial=0) < 0:
        return None
    largest = cells.max(initial=0)
    return None if largest > COUNTS else "count" if largest > 1 else "boolean"


def _validated(estimator: Any, X: Any, reset: bool) -> np.ndarray | csr_array:
    try:
        return validate_data(
            estimator, X, reset=reset, dtype=FLOATS, ensure_all_finite=False, accept_sparse="csr"
        )
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise _ragged("X") from None
        if "could not convert string to float" not in str(error):
            raise
        raise ValueError(
            f"X is an array that holds text ({str(error).partition(': ')[2][:60]}), but arrays "
            "need numbers; give a DataFrame, whose columns may hold text."
        ) from None
    except (TypeError, OverflowError) as error:
        raise ValueError(
            f"X is an array of objects that are no numbers ({str(error)[:100]}), but arrays need "
            "numbers; give a DataFrame, whose columns may hold text, datetimes and other labels."
        ) from None


def _check_all_finite(values: Any) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum(dtype=float)  # as scikit-learn does: one pass, no mask
    if np.isfinite(total):
        return
    if not issparse(values):
        for j, cells in enumerate(values.T):
            _check_finite(cells, j)
        return
    infinite = np.isinf(values.data)
    if infinite.any():
        place = int(np.argmax(infinite))
        row = np.searchsorted(values.indptr, place, side="right") - 1
        raise _infinite(int(values.indices[place]), row)


def _check_finite(values: np.ndarray, name: Any) -> None:
    with np.errstate(over="ignore"):  # of floats with more bits
        infinite = np.isinf(values.astype(np.float64, copy=False))
    if infinite.any():
        raise _infinite(name, np.argmax(infinite))


def _infinite(name: Any, row: Any) -> ValueError:
    return ValueError(
        f"Input X contains infinity in column {short(name)} (row {row}), but finite numbers are "
        "expected: replace it or drop that row."
    )


def _turned(block: np.ndarray) -> np.ndarray:
    """The transpose in its own memory, by tiles that fit into the cache: five times faster."""
    turned = np.empty(block.shape[::-1], block.dtype)
    n, width = block.shape
    for rows in parts(n, width, IN_CACHE):
        turned[:, rows] = block[rows].T
    return turned


def listed(values: Any) -> str:
    """The first of some values, as a message shows them."""
    values = list(values)
    return ", ".join(map(short, values[:10])) + (", ..." if len(values) > 10 else "")


def nearest_first(name: Any, names: Any) -> str:
    """The same of names, those first that look like another one, in upper case or lower."""
    alike = get_close_matches(str(name).strip("'").lower(), [str(own).lower() for own in names])
    return listed(sorted(names, key=lambda own: str(own).lower() not in alike))


def parts(n: int, width: int, numbers: int) -> Iterator[slice]:
    """Slices of n rows, of so many numbers at most."""
    rows = max(1, min(ROWS, numbers // width))
    return (slice(start, start + rows) for start in range(0, n, rows))
