"""The user's table and the encoded cells, in both directions."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from scipy.sparse import csc_array, csr_array, issparse, vstack
from sklearn.utils.validation import validate_data

from skvae._columns import Feature, Levels, format_of, kind_of
from skvae._memory import aligned
from skvae._sparse import SparseRows, differing
from skvae.likelihoods._base import Column, Likelihood, Size
from skvae.likelihoods._mixed import Mixed
from skvae.likelihoods._slots import padded

FLOATS = (np.float64, np.float32)
ROWS, NUMBERS = 8192, 2**21  # most rows, and most numbers, converted to float64 at once
IN_CACHE = 2**16  # the same where parts cost nothing: what a core keeps near while it works on them
MANY = 20_000  # slots beyond which each training step is slow
LARGEST = 1e15  # scaled numbers beyond it would overflow float32 when squared
HOLDS = {  # what a condition on a column of each kind has to be
    "float": ("finite numbers", lambda value: isinstance(value, (Real, np.bool_)) and np.isfinite(value)),
    "integer": (
        "whole numbers",
        lambda value: isinstance(value, (Real, np.bool_)) and np.isfinite(value) and value == int(value),
    ),
    "boolean": ("booleans", lambda value: isinstance(value, (bool, np.bool_)) or value in (0, 1)),
    "datetime": ("datetimes", lambda value: not isinstance(value, Real)),
}


class Rows(NamedTuple):
    """A table that has been checked: a frame, or an array of floats and the array that it was made from."""

    names: tuple  # of the columns; their numbers in an array
    frame: nw.DataFrame | None
    values: np.ndarray | csr_array | None
    given: np.ndarray | csr_array | csc_array | None

    @property
    def n(self) -> int:
        return self.values.shape[0] if self.frame is None else len(self.frame)

    @property
    def sparse(self) -> bool:
        return issparse(self.values)

    @property
    def dtype(self) -> np.dtype:
        """float32 where every column is, else float64."""
        if self.frame is None:
            return self.values.dtype
        return np.dtype(np.float32 if set(self.frame.schema.values()) == {nw.Float32} else np.float64)

    def series(self, j: int) -> nw.Series:
        """A column in its own dtype."""
        if self.frame is not None:
            return self.frame[:, j]
        return self._as_series(self.given[:, [j]].toarray()[:, 0] if issparse(self.given) else self.given[:, j])

    def by_column(self) -> "Rows":
        """The same, quick to read column by column."""
        return self._replace(given=self.given.tocsc()) if issparse(self.given) else self

    def columns(self) -> Iterator[tuple[Any, nw.Series]]:
        """Each column's name and the column; an array is turned over a few columns at a time."""
        if self.frame is not None:
            yield from zip(self.names, map(self.series, range(len(self.names))), strict=True)
            return
        width, given = max(1, NUMBERS // max(1, self.n)), self.by_column().given
        for start in range(0, len(self.names), width):
            block = given[:, start : start + width]
            block = _turned(block.toarray() if self.sparse else block)
            yield from zip(self.names[start : start + width], map(self._as_series, block), strict=True)

    def _as_series(self, column: np.ndarray) -> nw.Series:
        dtype = self.values.dtype if self.given.dtype.kind == "f" else self.given.dtype  # pandas has no float16
        return nw.from_native(pd.Series(column.astype(dtype, copy=False)), series_only=True)

    def part(self, rows: slice) -> "Rows":
        """Some of the rows, dense."""
        if self.sparse:
            return Rows(self.names, None, self.values[rows].toarray(), self.given[rows].tocsc())
        return Rows(self.names, *(None if table is None else table[rows] for table in self[1:]))


class Encoded(NamedTuple):
    """Cells that the network works on, and what turns their nats into nats in the units of X."""

    x: np.ndarray | SparseRows  # (rows, cells) in float32, NaN in a hole
    offset: np.ndarray  # (rows,) log |dx / dX|


class Scaling(NamedTuple):
    """How numbers become cells, by column."""

    center: np.ndarray
    scale: np.ndarray
    slope: np.ndarray  # log |dx / dX|
    varies: np.ndarray
    zero_is_atom: np.ndarray  # where a 0 counts with its probability
    slots: tuple  # columns whose features place them

    @classmethod
    def of(cls, features: tuple) -> "Scaling":
        center, scale, varies = (
            np.array([getattr(f, name) for f in features]) for name in ("center", "scale", "varies")
        )
        atoms = varies & np.array([feature.likelihood.zero_is_atom for feature in features])
        slots = tuple(j for j, feature in enumerate(features) if feature.has_slots)
        return cls(center, scale, np.where(varies, -np.log(scale), 0.0), varies, atoms, slots)


def checked(estimator: Any, X: Any, *, reset: bool) -> Rows:
    """X as scikit-learn checks it; holes are welcome, infinities are not."""
    frame, user = _frame(X), type(estimator).__name__
    if frame is None:
        X = _canonical(X) if issparse(X) else X
        values = _checked_array(estimator, X, reset)
        given = X if issparse(X) else np.asarray(X)
        return Rows(tuple(range(values.shape[1])), None, values, given if given.dtype.kind in "biuf" else values)
    _check_frame(frame, user, _plain(X.columns))
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return Rows(_plain(X.columns), frame, None, None)


def _turned(block: np.ndarray) -> np.ndarray:
    """The transpose in memory of its own, made in tiles that fit into the cache: five times faster than at once."""
    turned = np.empty(block.shape[::-1], block.dtype)
    for rows in _parts(*block.shape, IN_CACHE):
        turned[:, rows] = block[rows].T
    return turned


def _canonical(X: Any) -> csr_array:
    """A sparse table with one entry a cell: several are added up before anything is read."""
    X = csr_array(X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


@dataclass(frozen=True)
class Table:
    """What fit saw of the table: everything needed to encode rows and to restore them."""

    names: tuple
    template: Any  # the frame without its rows, or the dtype of an array
    features: tuple[Feature, ...]  # in the user's order
    likelihood: Mixed
    order: np.ndarray  # columns sorted into runs of equal likelihoods
    scaling: Scaling

    @classmethod
    def learn(cls, rows: Rows, choose: Callable) -> "Table":
        """Read the schema of the rows, and the places, scales, grids and levels of their columns."""
        features, wrong = [], []
        for name, column in rows.columns():
            kind = kind_of(column)
            likelihood = choose(name, kind)
            _check_labels(name, column, kind, likelihood)
            format_ = format_of(kind, likelihood)
            if not likelihood.over_levels:
                numbers = format_.read(column)
                _check_range(name, numbers)
                bad = _unsupported(numbers[:, None], likelihood)
                if bad:
                    wrong += [(name, likelihood, *bad[0][1:])]
                    continue
            learned = format_.learn(column)
            numbers = learned.read(column) if likelihood.over_levels else numbers
            features.append(Feature.learn(column, numbers, learned, likelihood))
        _check_supported(wrong)
        likelihoods = [feature.likelihood for feature in features]
        kinds = [likelihood for i, likelihood in enumerate(likelihoods) if likelihood not in likelihoods[:i]]
        block = np.array([kinds.index(likelihood) for likelihood in likelihoods])
        slots = [feature.column().n_slots for feature in features]
        _warn_of_many(slots, rows.names)
        slots = np.bincount(block, slots)
        room = [padded(int(n)) if kind.has_slots else 0 for kind, n in zip(kinds, slots, strict=True)]
        return cls(
            names=rows.names,
            template=rows.given.dtype if rows.frame is None else rows.frame.head(0).to_native(),
            features=tuple(features),
            likelihood=Mixed(tuple(kinds), tuple(map(Size, np.bincount(block).tolist(), room))),
            order=np.argsort(block, kind="stable"),
            scaling=Scaling.of(features),
        )

    @property
    def varies(self) -> np.ndarray:
        """Whether each column has more than one value, (columns,) in the user's order."""
        return self.scaling.varies

    def _runs(self) -> list[np.ndarray]:
        """The columns of each kind of likelihood."""
        return np.split(self.order, np.cumsum([size.cells for size in self.likelihood.sizes[:-1]]))

    def columns(self) -> list[Column]:
        """What each cell's likelihood is told of its column."""
        return [self.features[j].column() for j in self.order]

    def likelihoods(self) -> list[Likelihood]:
        """The likelihood of each column, in the user's order."""
        return [feature.likelihood for feature in self.features]

    def has_schema_of(self, other: "Table") -> bool:
        """Whether columns have the names, kinds and likelihoods of another table's, and vary where they did not."""
        formats = [[feature.format.kind for feature in table.features] for table in (self, other)]
        same = self.names == other.names and self.likelihoods() == other.likelihoods() and formats[0] == formats[1]
        return same and not (self.varies & ~other.varies).any()

    def encode(self, rows: Rows, *, supported: bool = False) -> Encoded:
        """Cells of the rows; a ValueError where a value cannot have come from its column's likelihood.

        `supported` tells that this has been checked.
        """
        formats = [feature.format for feature in self.features]
        if rows.sparse:
            zeros = np.zeros((1, len(self.names)), rows.given.dtype)
            with np.errstate(all="ignore"):  # zeros may lie outside of the support, where there are none
                base = self._placed(_numbers(Rows(rows.names, None, zeros, zeros), formats))[0][0].astype(np.float32)
        x, offset = [] if rows.sparse else aligned((rows.n, len(self.names))), np.empty(rows.n)
        cheap = rows.frame is None and not rows.sparse and not self.scaling.slots
        for part in _parts(rows.n, len(self.names), IN_CACHE if cheap else NUMBERS):
            numbers = _numbers(rows.part(part), formats)
            if not supported:
                self._check_support(numbers, part.start)
            cells, offset[part] = self._placed(numbers)
            if rows.sparse:
                x.append(differing(cells.astype(np.float32), base))
            else:
                x[part] = cells
        return Encoded(SparseRows(vstack(x, format="csr"), base) if rows.sparse else x, offset)

    def _placed(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of numbers in the user's order of columns, and log |dx / dX| of each row."""
        center, scale, slope, varies, zero_is_atom, slots = self.scaling
        with np.errstate(over="ignore"):  # clipped
            cells = (numbers - center) / scale
        np.clip(cells, -LARGEST, LARGEST, out=cells)
        if not varies.all():
            cells[:, ~varies] *= 0.0  # a hole stays a hole
        if slots or zero_is_atom.any() or np.isnan(cells.sum()):
            log_slope = np.where(np.isnan(cells) | (zero_is_atom & (numbers == 0)), 0.0, slope)
            for j in slots:
                cells[:, j], log_slope[:, j] = self.features[j].place(numbers[:, j])
            log_slope = log_slope.sum(axis=1)
        else:
            log_slope = np.full(len(cells), slope.sum())
        order = slice(None) if len(self.likelihood.likelihoods) == 1 else self.order
        return cells[:, order], log_slope

    def _check_support(self, numbers: np.ndarray, first: int) -> None:
        """Raise a ValueError where a number cannot have come from its column's likelihood, from row `first` on."""
        wrong = []
        for likelihood, columns in zip(self.likelihood.likelihoods, self._runs(), strict=True):
            if not likelihood.over_levels:
                own = numbers if len(columns) == len(self.names) else numbers[:, columns]
                wrong += [
                    (columns[j], likelihood, first + row, value) for j, row, value in _unsupported(own, likelihood)
                ]
        wrong.sort(key=lambda cell: cell[0])
        _check_supported([(self.names[j], *cell) for j, *cell in wrong])

    def warn_of_unseen(self, rows: Rows) -> None:
        """Say, once for all columns, which levels are not known and therefore treated as missing."""
        places = [j for j in self.scaling.slots if self.features[j].likelihood.over_levels]
        rows, found = rows.by_column() if places else rows, []
        for j in places:
            column = rows.series(j)
            new = self.features[j].format.read(column) < 0
            found += [f"{column[int(np.argmax(new))]!r} in column {self.names[j]!r}"] if new.any() else []
        if found:
            warnings.warn(f"Levels that were not seen in fit are treated as missing: {', '.join(found)}.", stacklevel=4)

    def decode(self, blocks: Iterable[np.ndarray], n: int, *, points: bool = False, like: Any = None) -> Any:
        """Blocks of cells of n rows, or of the points of likelihoods, as a table like that of fit.

        A pandas index is that of `like`, repeated as needed.
        """
        if isinstance(self.template, np.dtype) and all(feature.is_scaled(points) for feature in self.features):
            return self._scaled(blocks, n)
        cells = np.empty((n, len(self.names)))
        cells[:, self.order] = np.concatenate(list(blocks))
        columns = [feature.restore(cells[:, j], points=points) for j, feature in enumerate(self.features)]
        return self._assembled(columns, n, like)

    def _scaled(self, blocks: Iterable[np.ndarray], n: int) -> np.ndarray:
        """An array with no more in memory than it takes and a block."""
        restored, start = np.empty((n, len(self.names)), self.template), 0
        for block in blocks:
            cells = np.empty(block.shape)
            cells[:, self.order] = block
            restored[start : start + len(block)] = self.scaling.center + self.scaling.scale * cells
            start += len(block)
        return restored

    def observed(self, x: np.ndarray) -> np.ndarray:
        """Which cells are no holes, (rows, columns) in the user's order."""
        observed = np.empty(x.shape, bool)
        observed[:, self.order] = ~np.isnan(x)
        return observed

    def overlaid(self, drawn: Any, rows: Rows, kept: np.ndarray) -> Any:
        """Drawn rows with the kept cells of other rows, in turn, bit for bit."""
        if rows.frame is None:
            turns = np.arange(len(drawn)) % len(kept)
            return _merged(drawn, rows.given[turns], kept[turns])
        columns = nw.from_native(drawn, eager_only=True).iter_columns()
        merged = [_overlaid(column, rows.series(j), kept[:, j]) for j, column in enumerate(columns)]
        return self._assembled(merged, len(drawn), drawn)

    def condition(self, given: Any) -> tuple[Any, np.ndarray]:
        """Conditions as a table like that of fit, and which of its cells are given, (rows, columns)."""
        cells = _cells(given)
        unknown = [name for name in cells if name not in self.names]
        if unknown:
            raise ValueError(
                f"given names column {unknown[0]!r}, but fit saw no such column; it saw {_listed(self.names)}."
            )
        n = len(next(iter(cells.values()), [None]))
        values = [cells.get(name, [None] * n) for name in self.names]
        for name, feature, column in zip(self.names, self.features, values, strict=True):
            _check_given(name, feature, column)
        _warn_of_far(self.names, self.features, values)
        columns = [feature.condition(column) for feature, column in zip(self.features, values, strict=True)]
        return self._assembled(columns, n, given), ~np.array([pd.isna(np.array(v, object)) for v in values]).T

    def _assembled(self, columns: list, n: int, like: Any) -> Any:
        if isinstance(self.template, np.dtype):
            return np.column_stack([np.asarray(column) for column in columns]).astype(self.template)
        if not hasattr(self.template, "iloc"):
            return nw.from_dict(dict(zip(self.names, columns, strict=True)), backend=_backend(columns[0])).to_native()
        frame = pd.concat([pd.Series(column).reset_index(drop=True) for column in columns], axis=1)
        frame.columns = self.template.columns
        if hasattr(like, "iloc"):
            frame.index = like.index.take(np.arange(n) % len(like))
        return frame


def _warn_of_far(names: tuple, features: tuple, values: list) -> None:
    """Say which given numbers lie outside of what fit saw."""
    far = []
    for name, feature, column in zip(names, features, values, strict=True):
        if feature.format.kind in ("integer", "float"):
            low, high = float(feature.format.low), float(feature.format.high)
            out = [value for value in column if not pd.isna(value) and not low <= value <= high]
            far += [f"{out[0]!r} in column {name!r}, which held {low:g} to {high:g}"] if out else []
    if far:
        warnings.warn(
            f"given has {'; '.join(far)}: the other columns are drawn for values that fit never saw.", stacklevel=5
        )


def _warn_of_many(slots: list[int], names: tuple) -> None:
    if sum(slots) > MANY:
        widest = int(np.argmax(slots))
        warnings.warn(
            f"Labels and whole numbers take {sum(slots)} different values and bins in all ({slots[widest]} in column "
            f"{names[widest]!r}): the model will be large and slow. Drop identifiers; for whole numbers that measure "
            "something, set likelihood='gaussian' or give floats.",
            stacklevel=6,
        )


def _check_labels(name: Any, column: nw.Series, kind: str, likelihood: Likelihood) -> None:
    textual = kind in ("category", "ordered") and not column.is_null().all()
    if textual and not likelihood.over_levels:
        raise ValueError(
            f"Column {name!r} holds labels (dtype {column.dtype}), but {type(likelihood).__name__} needs "
            f"{likelihood.support}; leave it to likelihood='auto', or give {{{name!r}: 'categorical'}}."
        )


def _numbers(rows: Rows, formats: list) -> np.ndarray:
    """The numbers of all columns, (rows, columns): NaN in a hole, -1 for an unseen level."""
    numbers = (
        np.full((rows.n, len(formats)), np.nan) if rows.frame is not None else rows.values.astype(np.float64, order="C")
    )
    for j, format_ in enumerate(formats):
        if rows.frame is not None or isinstance(format_, Levels):
            numbers[:, j] = format_.read(rows.series(j))
    return numbers


def _merged(drawn: np.ndarray, given: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Given cells where they are kept, drawn ones elsewhere; in the dtype drawn unless that changes a kept cell."""
    with np.errstate(invalid="ignore"):
        same = given.astype(drawn.dtype)
    fits = (same == given)[kept].all()
    return np.where(kept, same if fits else given, drawn)


def _overlaid(drawn: nw.Series, given: nw.Series, kept: np.ndarray) -> Any:
    """A drawn column with the observed cells of another, in turn; in the other's dtype where its values need that."""
    if not kept.any():
        return drawn.to_native()
    turns = np.arange(len(drawn)) % len(given)
    places = np.flatnonzero(kept[turns])
    cells = given[turns[places]]
    if cells.implementation != drawn.implementation:
        cells = nw.new_series(cells.name, cells.to_list(), backend=drawn.implementation)
    if cells.dtype != drawn.dtype and not cells.dtype.is_numeric():
        cells = cells.cast(drawn.dtype)
    if cells.dtype != drawn.dtype and not _fits(cells.to_numpy(), drawn):
        drawn = drawn.cast(cells.dtype)
    return drawn.scatter(places, cells.cast(drawn.dtype)).to_native()


def _fits(values: np.ndarray, like: nw.Series) -> bool:
    """Whether numbers are the same in the dtype of another column."""
    if not like.dtype.is_integer():
        return True
    dtype = np.dtype(str(like.dtype).lower())
    with np.errstate(invalid="ignore"):
        return bool((values.astype(dtype) == values).all())


def _cells(given: Any) -> dict:
    """Lists of given values by column name."""
    if isinstance(given, Mapping):
        return {name: [value] for name, value in given.items()}
    frame = _frame(given)
    if frame is not None:
        return {
            name: column.to_list() for name, column in zip(_plain(given.columns), frame.iter_columns(), strict=True)
        }
    if issparse(given):
        raise ValueError(
            "given is sparse, but a zero in a sparse table is a value, not a hole: give a dict of {column: value}, or "
            "a dense table with holes."
        )
    if np.ndim(given) == 2:
        return {j: column.tolist() for j, column in enumerate(np.asarray(given).T)}
    raise ValueError(
        f"given has type {type(given).__name__}, but a dict of {{column: value}} or a table with holes is expected."
    )


def _check_given(name: Any, feature: Feature, values: list) -> None:
    several = [value for value in values if np.ndim(value)]
    if several:
        raise ValueError(f"given has {several[0]!r} in column {name!r}; for several conditions give a DataFrame.")
    known, values = feature.levels(), [value for value in values if not pd.isna(value)]
    kind = feature.format.kind
    if known is not None:
        new = [value for value in values if value not in known]
        if new:
            raise ValueError(f"given has {new[0]!r} in column {name!r}, but fit saw only {_listed(known)} there.")
    for value in values if kind in HOLDS else ():
        words, fits = HOLDS[kind]
        if not fits(value):
            raise ValueError(f"given has {value!r} in column {name!r}, but that column holds {words}.")
    other = [value for value in values if not feature.varies and value != feature.cell.to_list()[0]]
    if other:
        raise ValueError(
            f"given has {other[0]!r} in column {name!r}, but fit saw only {feature.cell.to_list()[0]!r} there."
        )


def _listed(values: Any) -> str:
    values = list(values)
    return ", ".join(map(repr, values[:10])) + (", ..." if len(values) > 10 else "")


def _backend(column: Any) -> Any:
    return nw.from_native(column, series_only=True).implementation


def _frame(X: Any) -> nw.DataFrame | None:
    """X as a narwhals frame, or None for anything that is not a DataFrame."""
    if isinstance(X, np.ndarray):
        return None
    columns = list(getattr(X, "columns", ()))
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise ValueError(f"X has several columns named {twice!r}, but names must differ; rename them.")
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame if isinstance(frame, nw.DataFrame) else None


def _checked_array(estimator: Any, X: Any, reset: bool) -> np.ndarray:
    try:
        values = validate_data(estimator, X, reset=reset, dtype=FLOATS, ensure_all_finite=False, accept_sparse="csr")
    except ValueError as error:
        if "could not convert string to float" not in str(error):
            raise
        raise ValueError(
            f"X is an array that holds text ({str(error).partition(': ')[2]}), but arrays need numbers; give a "
            "DataFrame, whose columns may hold text."
        ) from None
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum(dtype=np.float64)  # as scikit-learn does: one pass, no mask
    if not np.isfinite(total) and issparse(values):
        _check_finite_cells(values)
    elif not np.isfinite(total):
        for j in range(values.shape[1]):
            _check_finite(values[:, j], j)
    return values


def _check_finite_cells(values: csr_array) -> None:
    infinite = np.isinf(values.data)
    if infinite.any():
        place = int(np.argmax(infinite))
        raise _infinite(int(values.indices[place]), np.searchsorted(values.indptr, place, side="right") - 1)


def _plain(columns: Any) -> tuple:
    """Column names as Python has them: 2020, not np.int64(2020)."""
    return tuple(columns.tolist() if hasattr(columns, "tolist") else columns)


def _check_frame(frame: nw.DataFrame, user: str, names: tuple) -> None:
    n, d = frame.shape
    for found, what in ((n, "sample"), (d, "feature")):
        if not found:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={frame.shape}) while a minimum of 1 is required by {user}."
            )
    for name, column in zip(names, frame.iter_columns(), strict=True):
        kind = kind_of(column)
        if kind is None:
            native = getattr(column.to_native(), "dtype", column.dtype)
            raise ValueError(
                f"Column {name!r} has dtype {native}, but numbers, booleans, text, categories or datetimes are "
                "expected; turn it into one of them, or drop it."
                + (" For sparse columns give X.sparse.to_coo()." if isinstance(native, pd.SparseDtype) else "")
            )
        if kind == "float":
            _check_finite(column.cast(nw.Float64).to_numpy(), name)


def _check_finite(values: np.ndarray, name: Any) -> None:
    if np.isinf(values).any():
        raise _infinite(name, np.argmax(np.isinf(values)))


def _infinite(name: Any, row: Any) -> ValueError:
    return ValueError(
        f"Input X contains infinity in column {name!r} (row {row}), but finite numbers are expected: replace it or "
        "drop that row."
    )


def _check_range(name: Any, numbers: np.ndarray) -> None:
    low, high = np.nanmin(numbers, initial=np.inf), np.nanmax(numbers, initial=-np.inf)
    with np.errstate(over="ignore"):
        wide = high > low and not np.isfinite(high - low)
    if wide:
        raise ValueError(
            f"Column {name!r} ranges from {low:.3g} to {high:.3g}, which float64 cannot subtract; divide it."
        )


def _unsupported(numbers: np.ndarray, likelihood: Likelihood) -> list[tuple]:
    """Numbers (rows, columns) that a likelihood cannot give: column, row and value of the smallest of each column."""
    fits = likelihood.supports(numbers)
    if fits.all():
        return []
    bad, found = ~fits & ~np.isnan(numbers), []
    for j in np.flatnonzero(bad.any(axis=0)):
        rows = np.flatnonzero(bad[:, j])
        row = rows[numbers[rows, j].argmin()]
        found.append((j, row, numbers[row, j]))
    return found


def _check_supported(wrong: list[tuple]) -> None:
    """Raise a ValueError for the smallest bad value of a column: of the first one with a negative value, if any."""
    if not wrong:
        return
    negative = [cell for cell in wrong if cell[1].positive_only and cell[3] < 0]
    name, likelihood, row, value = (negative or wrong)[0]
    raise ValueError(
        ("Negative values in data: " if negative else "")
        + f"{type(likelihood).__name__} needs {likelihood.support}, but column {name!r} has {value:.6g} (row {row}). "
        "Choose another likelihood, such as likelihood='gaussian', or transform that column."
    )


def _parts(n: int, width: int, numbers: int) -> Iterator[slice]:
    rows = max(1, min(ROWS, numbers // max(1, width)))
    return (slice(start, start + rows) for start in range(0, n, rows))
