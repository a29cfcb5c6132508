"""Columns of any dtype of any library as NumPy arrays: the one gate for foreign values.

`read` turns a column into `Values` or refuses it by name; `Dtype.series` makes columns again.
"""

from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import eq
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from skvae.table._labels import of_labels, of_objects, plain_labels
from skvae.table._series import MEANINGS, Dtype
from skvae.table._values import Values, is_hole, refused, short

EXACT = 2**53  # whole numbers below are themselves in float64
DETAILS = "time_unit", "time_zone", "precision", "scale"  # that dtypes of polars may have
# What values of dictionaries of pyarrow may be.
TEXTS = {None, "string", "large_string", "string_view"}


def read(name: Any, column: Any) -> Values:
    """A native column in NumPy, or a ValueError that names it."""
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype):
        return of_array(name, column.to_numpy(), "pandas")
    if isinstance(dtype, pd.CategoricalDtype):
        return _of_category(name, column)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _of_zoned(name, column)
    return _of_narwhals(name, nw.from_native(column, series_only=True))


def of_array(name: Any, cells: np.ndarray, library: str, known: str | None = None) -> Values:
    """An array of one dimension as a column, of a kind that may be known."""
    dtype, kind = _of_numpy(library, cells.dtype, known), cells.dtype.kind
    cells = cells if cells.dtype.isnative else cells.astype(cells.dtype.newbyteorder("="))
    if kind == "O":
        return of_objects(name, cells, dtype)
    if kind not in MEANINGS:
        raise refused(name, f"has dtype {cells.dtype}", str(cells.dtype))
    if kind == "f":
        return Values(dtype, cells, np.isnan(cells))
    if kind in "mM":
        return Values(dtype, cells, np.isnat(cells))
    return Values(dtype, cells, np.zeros(len(cells), bool))


@lru_cache
def _of_numpy(library: str, dtype: np.dtype, known: str | None) -> Dtype:
    details = () if known is None else (("kind", known),)
    return Dtype(library, str(dtype), str(dtype.newbyteorder("=")), details)


def of_scalars(name: Any, values: list, scale: int | None = None) -> Values:
    """Single values as a column, of decimals with so many digits behind the point if it is one."""
    column = pd.Series(index=range(len(values)), dtype=object)
    for i, value in enumerate(values):
        column.iat[i] = None if is_hole(value) else _usual(value, scale)
    return read(name, inferred(column))


def inferred(column: pd.Series) -> pd.Series:
    """A column of objects in the dtype of what they are, unless that would change one."""
    cells = [cell for cell in column if not is_hole(cell)]
    if any(isinstance(cell, str) for cell in cells):
        return column
    try:
        there = column.infer_objects()
    except OverflowError:  # a whole number that no dtype holds
        return column
    if there.dtype.kind != "f":
        return there
    # NumPy compares as floats.
    cells = [cell.item() if isinstance(cell, np.integer) else cell for cell in cells]
    floats = there[~there.isna()].tolist()
    return there if all(map(eq, cells, floats)) else column


def _usual(value: Any, scale: int | None) -> Any:
    """A date as a datetime, a decimal as the float that is, or in its column shows, the same."""
    if type(value) is date:
        return pd.Timestamp(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        return value
    number = float(value)
    if scale is None:
        return number if number == value else value
    return number if value == round(value, scale) == Decimal(f"{number:.{scale}f}") else value


def _of_category(name: Any, column: Any) -> Values:
    categories = column.cat.categories
    used, codes = np.unique(column.cat.codes.to_numpy(), return_inverse=True)
    holes, codes = (used < 0)[codes], codes - (used < 0).sum()  # -1 in a hole
    used = used[used >= 0]
    # Labels are those that rows used, their dtype is that of all.
    every = categories.dtype == object or not len(used)
    labels = read(name, pd.Series(categories if every else categories.take(used)))
    if labels.cells.dtype.kind in "mM" or labels.dtype.get("scale") is not None:
        what = f"has categories of dtype {categories.dtype}"
        raise refused(name, what, _first_word(categories.dtype))
    levels = plain_labels(name, labels.plain()[used] if every else labels.plain())
    known, ordered = tuple(categories.tolist()), bool(column.cat.ordered)
    details = ("levels", known), ("ordered", ordered), ("of", labels.dtype)
    return Values(Dtype("pandas", "category", "object", details), codes, holes, levels)


def _of_zoned(name: Any, column: Any) -> Values:
    cells = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    zone = _zone_name(column.dtype)
    if zone is None:
        raise ValueError(
            f"Column {short(name)} has the time zone {short(column.dtype.tz)}, which has no name "
            "that it could be kept under; convert it to a zone with one, as with "
            ".dt.tz_convert('Europe/Vienna')."
        )
    dtype = Dtype("pandas", "datetime64", str(cells.dtype), (("zone", zone),))
    _check_years(name, cells)
    return Values(dtype, cells, np.isnat(cells))


def _check_years(name: Any, cells: np.ndarray) -> None:
    """Refuse datetimes of years that time zones are not defined for."""
    years = cells.astype("datetime64[Y]").astype(np.int64) + 1970
    beyond = ~np.isnat(cells) & ((years < 1) | (years > 9999))
    if beyond.any():
        raise ValueError(
            f"Column {short(name)} has {short(cells[np.argmax(beyond)])}, but datetimes in a time "
            "zone have years from 1 to 9999; replace it, or take the zone off."
        )


def _zone_name(dtype: pd.DatetimeTZDtype) -> str | None:
    """The name that gives the zone again: that of zoneinfo, pytz, an offset or dateutil."""
    own = getattr(dtype.tz, "key", None) or getattr(dtype.tz, "zone", None)
    possible = own, f"dateutil/{own}", str(dtype.tz)
    names = [zone for zone in possible if zone != "tzlocal()" and _is_zone(zone)]
    same = [zone for zone in names if pd.DatetimeTZDtype("ns", zone).tz == dtype.tz]
    return (same or [zone for zone in names if zone == own] or [None])[0]


def _is_zone(name: Any) -> bool:
    try:
        pd.DatetimeTZDtype("ns", name)
    except Exception:  # of many kinds, by how the name is wrong
        return False
    return True


def _of_narwhals(name: Any, series: nw.Series) -> Values:
    """A column of polars or pyarrow, or one of pandas with a dtype of its own."""
    try:
        kind, holes = series.dtype, series.is_null().to_numpy().astype(bool)
    except ValueError:  # of a type that narwhals has no name for
        raise _refused_dtype(name, series) from None
    dtype = _described(series)
    if kind in (nw.String, nw.Categorical, nw.Enum) and dtype.get("value") in TEXTS:
        text: Any = series if kind == nw.String else series.cast(nw.String)
        of_pandas = text.implementation.is_pandas()
        text = text.to_native() if of_pandas else np.array(text.to_list(), object)
        return of_labels(name, text, holes, dtype)
    cells = _numbers_or_times(name, series, dtype)
    if cells is not None:
        return Values(dtype, cells, holes | np.isnan(cells) if kind.is_float() else holes)
    if holes.all():
        return Values(dtype, np.full(len(holes), -1), holes, np.empty(0, object))
    raise _refused_dtype(name, series)


def _refused_dtype(name: Any, series: nw.Series) -> ValueError:
    native = series.to_native()
    native = getattr(native, "dtype", None) or native.type
    return refused(name, f"has dtype {native}", _first_word(native))


def _numbers_or_times(name: Any, series: nw.Series, dtype: Dtype) -> np.ndarray | None:
    """The cells of a column of numbers, booleans or times, anything in holes; None of another."""
    kind: Any = series.dtype
    if kind.is_integer() and not str(kind).endswith("128"):
        return series.fill_null(0).to_numpy().astype(dtype.numpy, copy=False)
    if kind.is_float():
        return np.asarray(series.to_numpy(), dtype.numpy)
    if kind.is_decimal():
        cells, scale = series.cast(nw.Float64).to_numpy(), dtype.get("scale")
        cells = np.asarray(cells, np.float64)
        if (abs(cells) * 10.0**scale >= EXACT).any():
            raise ValueError(
                f"Column {short(name)} has decimals of more digits than float64 holds (15); cast "
                "it to fewer digits, or to text."
            )
        return np.round(cells, scale)
    if kind == nw.Boolean:
        return series.fill_null(False).to_numpy().astype(bool)
    if kind == nw.Date:
        return series.cast(nw.Datetime("us")).to_numpy().astype("datetime64[D]")
    if kind == nw.Duration:
        return series.to_numpy().astype(f"timedelta64[{kind.time_unit}]")
    if kind != nw.Datetime:
        return None
    if not kind.time_zone:
        return series.to_numpy().astype(f"datetime64[{kind.time_unit}]")
    series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    cells = series.to_numpy().astype(f"datetime64[{kind.time_unit}]")
    _check_years(name, cells)
    return cells


def _first_word(dtype: Any) -> str:
    return str(dtype).lower().removeprefix("<").split("[")[0]


def _described(series: nw.Series) -> Dtype:
    """The dtype of a column that is none of NumPy's."""
    native = series.to_native()
    kind: Any = series.dtype
    cells = {nw.Boolean: "bool", nw.Date: "datetime64[D]"}.get(type(kind), "object")
    if kind.is_integer() or kind.is_float():
        cells = str(kind).lower()
    elif kind.is_decimal():
        cells = "float64"
    elif kind == nw.Datetime:
        cells = f"datetime64[{kind.time_unit}]"
    elif kind == nw.Duration:
        cells = f"timedelta64[{kind.time_unit}]"
    if series.implementation.is_polars():
        kind, ours = native.dtype, {"time_unit": "unit", "time_zone": "zone"}
        found = [(ours.get(detail, detail), getattr(kind, detail, None)) for detail in DETAILS]
        details = [(detail, value) for detail, value in found if value is not None]
        if type(kind).__name__ == "Enum":
            details += [("levels", tuple(kind.categories)), ("ordered", True)]
        return Dtype("polars", type(kind).__name__, cells, tuple(details))
    if series.implementation.is_pandas():
        return _of_pandas(native.dtype, cells)
    return Dtype("pyarrow", *_of_arrow_type(native.type, cells))


def _of_pandas(dtype: Any, cells: str) -> Dtype:
    if isinstance(dtype, pd.ArrowDtype):
        name, cells, details = _of_arrow_type(dtype.pyarrow_dtype, cells)
        return Dtype("pandas", name, cells, (*details, ("arrow", True)))
    if isinstance(dtype, pd.StringDtype):
        missing = "NA" if dtype.na_value is pd.NA else "nan"
        details = ("storage", dtype.storage), ("missing", missing)
        return Dtype("pandas", "string", "object", details)
    return Dtype("pandas", str(dtype), cells)


def _of_arrow_type(kind: Any, cells: str) -> tuple[str, str, tuple]:
    """Name, dtype in NumPy and details of a type of pyarrow."""
    import pyarrow.types as types

    name, details = str(kind), {}
    if types.is_timestamp(kind):
        name, details = "timestamp", {"unit": kind.unit, "zone": kind.tz}
    elif types.is_decimal(kind):
        name = "decimal"
        details = {"precision": kind.precision, "scale": kind.scale, "bits": kind.bit_width}
    elif types.is_dictionary(kind):
        name, index, value = "dictionary", str(kind.index_type), str(kind.value_type)
        details = {"index": index, "value": value, "in_order": kind.ordered}
    return name, cells, tuple(details.items())
