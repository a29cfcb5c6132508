"""The user's table and the encoded cells, in both directions. The only room that knows pandas."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils.validation import validate_data

from skvae.likelihoods._base import Likelihood
from skvae.likelihoods._mixed import Mixed

FLOATS = (np.float64, np.float32)
ROWS = 8192  # rows converted to float64 at once
LARGEST = 1e15  # standard deviations from the mean: beyond it float32 would overflow when squared


def as_numbers(estimator: Any, X: Any, *, reset: bool) -> np.ndarray:
    """X as a float array, (rows, columns), checked as scikit-learn does and free of holes."""
    _check_dtypes(X)
    try:
        values = validate_data(estimator, X, reset=reset, dtype=FLOATS, ensure_all_finite=False)
    except ValueError as error:
        if "could not convert string to float" not in str(error):
            raise
        raise ValueError(
            f"X holds text ({str(error).partition(': ')[2]}), but {type(estimator).__name__} expects numbers; "
            "encode text columns first, for instance with sklearn.preprocessing.OrdinalEncoder."
        ) from None
    _check_finite(values, _names(X, values), type(estimator).__name__)
    return values


@dataclass(frozen=True)
class Table:
    """What fit saw of the table: everything needed to encode rows and to restore them."""

    names: tuple  # of the columns; their numbers where fit saw an array
    template: Any  # the frame without its rows; None where fit saw an array
    dtypes: tuple[np.dtype, ...]
    low: tuple  # smallest and largest value of each column, in its own dtype
    high: tuple
    likelihood: Mixed
    order: np.ndarray  # columns sorted into runs of equal likelihoods
    center: np.ndarray  # X = center + scale * x, (columns,) in the user's order
    scale: np.ndarray
    varies: np.ndarray  # whether a column has more than one value, (columns,)

    @classmethod
    def learn(cls, X: Any, values: np.ndarray, choose: Callable) -> "Table":
        """Read the schema of X and the location and scale of its columns."""
        columns = list(_columns(X, values))
        dtypes = tuple(column.dtype for column in columns)
        chosen = [choose(dtype) for dtype in dtypes]
        kinds = [likelihood for i, likelihood in enumerate(chosen) if likelihood not in chosen[:i]]
        block = np.array([kinds.index(likelihood) for likelihood in chosen])
        low, high = tuple(column.min() for column in columns), tuple(column.max() for column in columns)
        names, varies = _names(X, values), values.min(axis=0) < values.max(axis=0)
        _check_range(values, names)
        center, scale = _location_and_scale(values, varies & [likelihood.standardise for likelihood in chosen])
        frame = _frame(X)
        return cls(
            names=names,
            template=None if frame is None else frame.head(0).to_native(),
            dtypes=dtypes,
            low=low,
            high=high,
            likelihood=Mixed(tuple(kinds), tuple(np.bincount(block).tolist())),
            order=np.argsort(block, kind="stable"),
            center=center,
            scale=scale,
            varies=varies,
        )

    @property
    def log_jacobian(self) -> float:
        """log |dx / dX| of a row: what turns nats of encoded cells into nats in the units of X."""
        return -float(np.log(self.scale[self.varies]).sum())

    def has_schema_of(self, other: "Table") -> bool:
        """Whether columns have the names, kinds and likelihoods of another table's, and vary where they did not."""
        kinds = [[dtype.kind for dtype in table.dtypes] for table in (self, other)]
        same = self.names == other.names and self.likelihoods() == other.likelihoods() and kinds[0] == kinds[1]
        return same and not (self.varies & ~other.varies).any()

    def likelihoods(self) -> list[Likelihood]:
        """The likelihood of each column, in the user's order."""
        sorted_ = np.repeat(np.arange(len(self.likelihood.sizes)), self.likelihood.sizes)
        return [self.likelihood.likelihoods[i] for i in sorted_[np.argsort(self.order)]]

    def check_support(self, values: np.ndarray) -> None:
        """Raise a ValueError where a value cannot have come from its column's likelihood."""
        columns = zip(self.names, self.likelihoods(), values.T, strict=True)
        wrong = [column for column in columns if not column[1].supports(column[2]).all()]
        if wrong:
            raise ValueError(_unsupported(wrong))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The cells that the network works on, (rows, columns) in float32."""
        x = np.empty(values.shape, np.float32)
        for rows in _slices(len(values)):
            cells = (values[rows].astype(np.float64) - self.center) / self.scale
            x[rows] = np.where(self.varies, cells.clip(-LARGEST, LARGEST), 0.0)[:, self.order]
        return x

    def decode(self, x: np.ndarray, like: Any = None) -> Any:
        """Cells back as a table like the one seen in fit; its pandas index is that of `like`, repeated as needed."""
        values = np.empty(x.shape, np.float64)
        values[:, self.order] = x
        values = self.center + self.scale * values
        table = self._assembled([self._restored(values[:, j], j) for j in range(len(self.dtypes))])
        if hasattr(table, "iloc") and hasattr(like, "iloc"):
            table.index = like.index.take(np.arange(len(x)) % len(like))
        return table

    def _restored(self, values: np.ndarray, j: int) -> np.ndarray:
        """A column in its own dtype, and within the range seen where that is not float."""
        dtype, low, high = self.dtypes[j], self.low[j], self.high[j]
        if not self.varies[j]:
            return np.full(len(values), low, dtype)
        if dtype.kind == "b":
            return values >= 0.5
        if dtype.kind == "f":
            return values.astype(dtype)
        whole = np.rint(values).clip(float(low), float(high))
        with np.errstate(invalid="ignore"):  # float(high) may lie just beyond the dtype; replaced below
            restored = whole.astype(dtype)
        restored[whole <= float(low)] = low
        restored[whole >= float(high)] = high
        return restored

    def _assembled(self, columns: list[np.ndarray]) -> Any:
        if self.template is None:
            return np.column_stack(columns)
        if hasattr(self.template, "iloc"):
            return _pandas(self.template, columns)
        return type(self.template)(dict(zip(self.template.columns, columns, strict=True)), schema=self.template.schema)


def _frame(X: Any) -> nw.DataFrame | None:
    """X as a narwhals frame, or None for anything that is not a DataFrame."""
    columns = list(getattr(X, "columns", ()))
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise ValueError(f"X has several columns named {twice!r}, but names must differ; rename them.")
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame if isinstance(frame, nw.DataFrame) else None


def _pandas(template: Any, columns: list[np.ndarray]) -> Any:
    import pandas as pd

    series = [pd.Series(values).astype(dtype) for values, dtype in zip(columns, template.dtypes, strict=True)]
    frame = pd.DataFrame(dict(enumerate(series)))
    frame.columns = template.columns
    return frame


def _columns(X: Any, values: np.ndarray) -> Iterator[np.ndarray]:
    """Each column in the dtype the user gave it; as float where that was an object."""
    frame = _frame(X)
    given = np.asarray(X).T if frame is None else (column.to_numpy() for column in frame.iter_columns())
    for column, numbers in zip(given, values.T, strict=True):
        yield column if column.dtype.kind in "biuf" else numbers


def _names(X: Any, values: np.ndarray) -> tuple:
    """The columns' names; their numbers in an array."""
    return tuple(X.columns) if _frame(X) is not None else tuple(range(values.shape[1]))


def _check_dtypes(X: Any) -> None:
    frame = _frame(X)
    for name, dtype in {} if frame is None else frame.schema.items():
        if not (dtype.is_numeric() or dtype in (nw.Boolean, nw.Object)):
            raise ValueError(
                f"Column {name!r} has dtype {dtype}, but numbers or booleans are expected; turn it into numbers first "
                "(text, for instance, with sklearn.preprocessing.OrdinalEncoder), or drop it."
            )


def _check_finite(values: np.ndarray, names: tuple, user: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)):  # as scikit-learn does: one pass, no mask
            return
    bad = np.argwhere(~np.isfinite(values))
    if not len(bad):
        return
    row, column = bad[0]
    if np.isnan(values[row, column]):
        raise ValueError(
            f"Input X contains NaN in column {names[column]!r} (row {row}); {user} expects complete rows: fill the "
            "holes first, for instance with sklearn.impute.SimpleImputer, or drop those rows."
        )
    raise ValueError(
        f"Input X contains infinity in column {names[column]!r} (row {row}), but finite numbers are expected: "
        "replace it or drop that row."
    )


def _check_range(values: np.ndarray, names: tuple) -> None:
    low, high = values.min(axis=0).astype(np.float64), values.max(axis=0).astype(np.float64)
    with np.errstate(over="ignore"):
        wide = ~np.isfinite(high - low)
    if wide.any():
        j = int(np.argmax(wide))
        raise ValueError(
            f"Column {names[j]!r} ranges from {low[j]:.3g} to {high[j]:.3g}, which float64 cannot subtract; divide it."
        )


def _unsupported(wrong: list[tuple[Any, Likelihood, np.ndarray]]) -> str:
    """What is wrong with the smallest bad value of a column: of the first one with a negative value, if any."""
    cells = []
    for name, likelihood, column in wrong:
        row = int(np.argmin(np.where(likelihood.supports(column), np.inf, column)))
        cells.append(
            (not (likelihood.positive_only and column[row] < 0), len(cells), name, likelihood, row, column[row])
        )
    acceptable_sign, _, name, likelihood, row, value = min(cells, key=lambda cell: cell[:2])
    return ("" if acceptable_sign else "Negative values in data: ") + (
        f"{type(likelihood).__name__} needs {likelihood.support}, but column {name!r} has {value:.6g} (row {row}). "
        "Choose another likelihood, such as likelihood='gaussian', or transform that column."
    )


def _location_and_scale(values: np.ndarray, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the columns to be scaled, safe for any magnitude; 0 and 1 for the others."""
    low = values.min(axis=0).astype(np.float64)
    width = np.where(scaled, values.max(axis=0) - low, 1.0)
    mean, square = np.zeros(len(low)), np.zeros(len(low))
    for rows in _slices(len(values)):
        mean += ((values[rows] - low) / width).sum(axis=0)
    mean /= len(values)
    for rows in _slices(len(values)):
        square += (((values[rows] - low) / width - mean) ** 2).sum(axis=0)
    deviation = np.sqrt(square / len(values))
    return np.where(scaled, low + width * mean, 0.0), np.where(scaled, width * deviation, 1.0)


def _slices(n: int) -> Iterator[slice]:
    return (slice(start, start + ROWS) for start in range(0, n, ROWS))
