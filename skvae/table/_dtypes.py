"""Columns of any library as NumPy arrays, and back: a dtype and its library are kept as plain data.

The one gate for foreign values: `read` turns a column into `Values` or refuses it by name, and
`Dtype.series` turns cells into a column again.
"""

import reprlib
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from operator import eq
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

# Types that a label may have.
LABELS = (str, bool, int, float, np.bool_, np.integer, np.float16, np.float32)
EXACT = 2**53  # whole numbers below are themselves in float64
MEANINGS = {  # what columns hold, by the letter of their NumPy dtype
    "f": "float",
    "i": "integer",
    "u": "integer",
    "b": "boolean",
    "M": "datetime",
    "m": "duration",
    "O": "category",
}
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
# What values of dictionaries of pyarrow may be.
TEXTS = {None, "string", "large_string", "string_view"}
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 60


class Dtype(NamedTuple):
    """A dtype and its library as plain data."""

    library: str  # "numpy", "pandas", "polars" or "pyarrow"
    name: str  # of the dtype there
    numpy: str  # dtype of its cells in NumPy: "object" for labels, UTC for datetimes with a zone
    details: tuple = ()  # what else the library wants to know, in pairs of a name and a value

    @property
    def meaning(self) -> str:
        """What it holds, in a word."""
        return "ordered" if self.details and self.get("ordered") else _meaning(self.numpy)

    @property
    def shown(self) -> str:
        """Its name in a message."""
        return f"{self.name} in the zone {self.get('zone')}" if self.get("zone") else self.name

    def get(self, name: str) -> Any:
        """A detail, or None."""
        return dict(self.details).get(name)

    def with_levels(self, levels: Any) -> "Dtype":
        """The same with other categories, where it has any."""
        if self.get("levels") is None:
            return self
        return self._replace(details=tuple({**dict(self.details), "levels": tuple(levels)}.items()))

    def of_numpy(self, kind: np.dtype, zone: str | None = None) -> "Dtype":
        """The usual dtype of its library for numbers, times and text of a dtype of NumPy."""
        name, details = str(kind), ()
        if kind.kind == "O":
            return Dtype(
                self.library,
                {"polars": "String", "pyarrow": "string"}.get(self.library, "object"),
                "object",
            )
        if self.library == "polars":
            name = {"f": "Float", "i": "Int", "u": "UInt", "b": "Boolean"}.get(kind.kind, "")
            name = name if kind.kind == "b" else f"{name}{8 * kind.itemsize}"
        if self.library == "pyarrow":
            name = {"float64": "double", "float32": "float", "float16": "halffloat"}.get(name, name)
        if kind.kind in "mM":
            unit = np.datetime_data(kind)[0]
            known = ("ms", "us", "ns") if self.library == "polars" else ("s", "ms", "us", "ns")
            unit = unit if unit in known else known[0]
            kind = np.dtype(f"{kind.kind}8[{unit}]")
            name = str(kind)
            zone = zone and zone.removeprefix("dateutil/")
            details = ("unit", unit), ("zone", zone if zone is None or "/" in zone else "UTC")
            names = {"polars": "Datetime" if kind.kind == "M" else "Duration"}
            names["pyarrow"] = "timestamp" if kind.kind == "M" else f"duration[{unit}]"
            name = names.get(self.library, name)
        return Dtype(self.library, name, str(kind), details)

    def holds(self, cells: np.ndarray) -> bool:
        """Whether cells in NumPy come back from it as they are."""
        levels = self.get("levels")
        if levels is not None:
            return set(cells.tolist()) <= set(levels)
        if self.numpy == "object" or cells.dtype == object:
            return self.numpy == "object"
        there = np.dtype(self.numpy)
        if (there.kind in "mM") != (cells.dtype.kind in "mM"):
            return False
        places = self.get("scale")
        if (
            places is not None
            and (abs(cells.astype(there)) >= 10.0 ** (self.get("precision") - places)).any()
        ):
            return False
        with np.errstate(all="ignore"):
            back = (
                np.round(cells.astype(there), places) if places is not None else cells.astype(there)
            )
            return bool(_same(back, cells).all())

    def series(self, cells: np.ndarray, holes: np.ndarray | None = None) -> Any:
        """A native column of cells, empty at holes; an array where the library is NumPy."""
        holes = holes if holes is not None and holes.any() else None
        if self.library == "numpy":
            return _array(self, cells, holes)
        if cells.dtype == object:
            cells = cells if holes is None else np.where(holes, None, cells)
        make = {"pandas": _pandas_series, "polars": _polars_series, "pyarrow": _arrow_array}[
            self.library
        ]
        return make(self, cells, holes)


@lru_cache
def _meaning(numpy: str) -> str:
    return MEANINGS[np.dtype(numpy).kind]


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
        return np.append(self.levels, None)[self.cells]

    def codes(self) -> tuple[np.ndarray, list]:
        """Codes of its cells, -1 in a hole, and what they stand for in Python's own types."""
        if self.levels is not None:
            return self.cells, self.levels.tolist()
        cells = self.cells.view(np.int64) if self.cells.dtype.kind in "mM" else self.cells
        codes, levels = pd.factorize(cells)
        return np.where(self.holes, -1, codes), levels.tolist()

    def take(self, rows: Any) -> "Values":
        """Some of the rows."""
        return self._replace(cells=self.cells[rows], holes=self.holes[rows])

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


# In: columns of a library --------------------------------------------------------------------


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


def of_array(name: Any, cells: np.ndarray, library: str) -> Values:
    """An array of one dimension as a column."""
    dtype, kind = _of_numpy(library, cells.dtype), cells.dtype.kind
    cells = cells if cells.dtype.isnative else cells.astype(cells.dtype.newbyteorder("="))
    if kind == "O":
        return _of_objects(name, cells, dtype)
    if kind not in MEANINGS:
        raise refused(name, f"has dtype {cells.dtype}", str(cells.dtype))
    if kind == "f":
        return Values(dtype, cells, np.isnan(cells))
    return Values(dtype, cells, np.isnat(cells) if kind in "mM" else np.zeros(len(cells), bool))


@lru_cache
def _of_numpy(library: str, dtype: np.dtype) -> Dtype:
    return Dtype(library, str(dtype), str(dtype.newbyteorder("=")))


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
    cells = [
        cell.item() if isinstance(cell, np.integer) else cell for cell in cells
    ]  # NumPy compares as floats
    exact = there.dtype.kind != "f" or all(map(eq, cells, there[~there.isna()].tolist()))
    return there if exact else column


def _usual(value: Any, scale: int | None) -> Any:
    """A date as a datetime, a decimal as the float that is, or in its column shows, the same."""
    if type(value) is date:
        return pd.Timestamp(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        return value
    number = float(value)
    same = (
        number == value
        if scale is None
        else value == round(value, scale) == Decimal(f"{number:.{scale}f}")
    )
    return number if same else value


def _of_objects(name: Any, cells: np.ndarray, dtype: Dtype) -> Values:
    """Python's own objects: labels."""
    try:
        holes = pd.isna(cells)
    except ArithmeticError:  # of a signalling NaN
        holes = np.array([is_hole(cell) for cell in cells])
        cells = np.where(holes, None, cells)
    for kind in set(map(type, cells[~holes])):
        if not issubclass(kind, LABELS):
            example = next(cell for cell in cells[~holes] if type(cell) is kind)
            what = f"holds objects of type {kind.__name__}, such as {short(example)}"
            word = (
                "time"
                if kind is time
                else "date"
                if issubclass(kind, (date, np.datetime64))
                else kind.__name__
            )
            raise refused(name, what, word)
    return _labels(name, cells, holes, dtype)


def _labels(name: Any, cells: Any, holes: np.ndarray, dtype: Dtype) -> Values:
    try:
        codes, levels = _factorized(cells, holes)
        levels = _plain_labels(name, levels)
    except (TypeError, UnicodeError, RecursionError) as error:
        raise refused(
            name, f"holds objects that cannot be told apart ({type(error).__name__})", ""
        ) from None
    return Values(dtype, np.where(holes, -1, codes), holes, levels)


def _factorized(cells: Any, holes: np.ndarray) -> tuple:
    """Codes and what they stand for, as of pandas, which takes text in objects to end at a NUL."""
    if getattr(cells.dtype, "storage", "") == "python":
        cells = cells.to_numpy(object)
    if not isinstance(cells, np.ndarray) or not any(
        "\0" in cell for cell in cells if isinstance(cell, str)
    ):
        return pd.factorize(cells)
    levels = list(dict.fromkeys(cells[~holes]))
    places = {level: code for code, level in enumerate(levels)}
    return np.array(
        [-1 if hole else places[cell] for cell, hole in zip(cells, holes, strict=True)]
    ), levels


def _plain_labels(name: Any, levels: Any) -> np.ndarray:
    """Labels in Python's own types."""
    plain = np.empty(len(levels), object)
    plain[:] = [_plain_label(level) for level in levels]
    for level in plain:
        if isinstance(level, str) and not level.isascii():
            _check_text(name, level)
    return plain


def _plain_label(label: Any) -> Any:
    label = label.item() if isinstance(label, np.generic) else label
    kind = next(kind for kind in (str, bool, int, float) if isinstance(label, kind))
    plain = {str: str.__str__, int: int.__int__, float: float.__float__}
    return label if type(label) is kind else plain[kind](label)  # not by a subclass' own way


def _check_text(name: Any, label: str) -> None:
    try:
        label.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"Column {short(name)} has {short(label)}, which is no valid text (half of a pair of "
            "surrogates): decode it again, or replace it."
        ) from None


def _of_category(name: Any, column: Any) -> Values:
    categories = column.cat.categories
    used, codes = np.unique(column.cat.codes.to_numpy(), return_inverse=True)
    holes, codes = (used < 0)[codes], codes - (used < 0).sum()  # -1 in a hole
    used = used[used >= 0]
    every = categories.dtype == object or not len(used)
    labels = read(name, pd.Series(categories if every else categories.take(used)))
    if labels.cells.dtype.kind in "mM" or labels.dtype.get("scale") is not None:
        raise refused(
            name, f"has categories of dtype {categories.dtype}", _first_word(categories.dtype)
        )
    levels = _plain_labels(name, labels.plain()[used] if every else labels.plain())
    details = (
        ("levels", tuple(categories.tolist())),
        ("ordered", bool(column.cat.ordered)),
        ("of", labels.dtype),
    )
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
    names = [
        zone
        for zone in (own, f"dateutil/{own}", str(dtype.tz))
        if zone != "tzlocal()" and _is_zone(zone)
    ]
    same = [zone for zone in names if pd.DatetimeTZDtype("ns", zone).tz == dtype.tz]
    return (same or [zone for zone in names if zone == own] or [None])[0]


def _is_zone(name: str) -> bool:
    try:
        pd.DatetimeTZDtype("ns", name)
    except Exception:  # of many kinds, by how the name is wrong
        return False
    return True


def _of_narwhals(name: Any, series: nw.Series) -> Values:
    """A column of polars or pyarrow, or one of pandas with a dtype of its own."""
    try:
        dtype, holes = series.dtype, series.is_null().to_numpy().astype(bool)
    except ValueError:  # of a type that narwhals has no name for
        native = series.to_native()
        native = getattr(native, "dtype", None) or native.type
        raise refused(name, f"has dtype {native}", _first_word(native)) from None
    described = _described(series)
    if dtype.is_integer() and not str(dtype).endswith("128"):
        cells = series.fill_null(0).to_numpy().astype(str(dtype).lower(), copy=False)
    elif dtype.is_float():
        cells = np.asarray(series.to_numpy(), str(dtype).lower())
        holes = holes | np.isnan(cells)
    elif dtype.is_decimal():
        cells = _of_decimals(name, series, described.get("scale"))
    elif dtype == nw.Boolean:
        cells = series.fill_null(False).to_numpy().astype(bool)
    elif dtype == nw.Datetime:
        series = (
            series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            if dtype.time_zone
            else series
        )
        cells = series.to_numpy().astype(f"datetime64[{dtype.time_unit}]")
        if dtype.time_zone:
            _check_years(name, cells)
    elif dtype == nw.Date:
        cells = series.cast(nw.Datetime("us")).to_numpy().astype("datetime64[D]")
    elif dtype == nw.Duration:
        cells = series.to_numpy().astype(f"timedelta64[{dtype.time_unit}]")
    elif dtype in (nw.String, nw.Categorical, nw.Enum) and described.get("value") in TEXTS:
        text = series if dtype == nw.String else series.cast(nw.String)
        native = (
            text.to_native()
            if text.implementation.is_pandas()
            else np.array(text.to_list(), object)
        )
        return _labels(name, native, holes, described)
    elif holes.all():
        return Values(described, np.full(len(holes), -1), holes, np.empty(0, object))
    else:
        native = getattr(series.to_native(), "dtype", None) or getattr(
            series.to_native(), "type", dtype
        )
        raise refused(name, f"has dtype {native}", _first_word(native))
    return Values(described, cells, holes)


def _of_decimals(name: Any, series: nw.Series, scale: int) -> np.ndarray:
    cells = np.asarray(series.cast(nw.Float64).to_numpy(), np.float64)
    if (abs(cells) * 10.0**scale >= EXACT).any():
        raise ValueError(
            f"Column {short(name)} has decimals of more digits than float64 holds (15); cast it to "
            "fewer digits, or to text."
        )
    return np.round(cells, scale)


def _first_word(dtype: Any) -> str:
    return str(dtype).lower().removeprefix("<").split("[")[0]


def _described(series: nw.Series) -> Dtype:
    """The dtype of a column that is none of NumPy's."""
    native, kind = series.to_native(), series.dtype
    cells = _in_numpy(kind)
    if series.implementation.is_polars():
        return Dtype("polars", type(native.dtype).__name__, cells, _polars_details(native.dtype))
    if not series.implementation.is_pandas():
        return Dtype("pyarrow", *_of_arrow_type(native.type, cells))
    if isinstance(native.dtype, pd.ArrowDtype):
        name, cells, details = _of_arrow_type(native.dtype.pyarrow_dtype, cells)
        return Dtype("pandas", name, cells, (*details, ("arrow", True)))
    if isinstance(native.dtype, pd.StringDtype):
        return Dtype("pandas", "string", "object", _string_details(native.dtype))
    return Dtype("pandas", str(native.dtype), cells)


def _string_details(dtype: Any) -> tuple:
    return ("storage", dtype.storage), ("missing", "NA" if dtype.na_value is pd.NA else "nan")


def _in_numpy(kind: Any) -> str:
    if kind.is_integer() or kind.is_float():
        return str(kind).lower()
    if kind.is_decimal():
        return "float64"
    if kind == nw.Datetime:
        return f"datetime64[{kind.time_unit}]"
    if kind == nw.Duration:
        return f"timedelta64[{kind.time_unit}]"
    return {nw.Boolean: "bool", nw.Date: "datetime64[D]"}.get(type(kind), "object")


def _polars_details(dtype: Any) -> tuple:
    names = {"time_unit": "unit", "time_zone": "zone", "precision": "precision", "scale": "scale"}
    found = [(ours, getattr(dtype, theirs, None)) for theirs, ours in names.items()]
    details = [(name, value) for name, value in found if value is not None]
    if type(dtype).__name__ == "Enum":
        details += [("levels", tuple(dtype.categories)), ("ordered", True)]
    return tuple(details)


def _of_arrow_type(kind: Any, cells: str) -> tuple[str, str, tuple]:
    """Name, dtype in NumPy and details of a type of pyarrow."""
    import pyarrow.types as types

    if types.is_timestamp(kind):
        return "timestamp", cells, (("unit", kind.unit), ("zone", kind.tz))
    if types.is_decimal(kind):
        return (
            "decimal",
            cells,
            (("precision", kind.precision), ("scale", kind.scale), ("bits", kind.bit_width)),
        )
    if types.is_dictionary(kind):
        details = (
            ("index", str(kind.index_type)),
            ("value", str(kind.value_type)),
            ("in_order", kind.ordered),
        )
        return "dictionary", cells, details
    return str(kind), cells, ()


# Out: series of a library --------------------------------------------------------------------


def _pandas_series(dtype: Dtype, cells: np.ndarray, holes: np.ndarray | None) -> Any:
    if dtype.get("arrow"):
        return pd.Series(pd.arrays.ArrowExtensionArray(_arrow_array(dtype, cells, holes)))
    plain = dtype.name == dtype.numpy != "object" and not dtype.get("zone")
    if plain and holes is None:
        return cells.astype(dtype.name, copy=False)  # a frame takes it as it is
    if plain and np.dtype(dtype.numpy).kind in "iub":  # which have no room for holes
        return np.where(holes, np.nan, cells).astype(np.float64)
    series = pd.Series(cells, dtype=object if cells.dtype == object else None)
    if dtype.get("zone"):
        series = series.astype(dtype.numpy).dt.tz_localize("UTC").dt.tz_convert(dtype.get("zone"))
    else:
        series = series.astype(_pandas_dtype(dtype))
    return series if holes is None or cells.dtype == object else series.mask(holes)


def _pandas_dtype(dtype: Dtype) -> Any:
    if dtype.name == "string":
        return _string_dtype(dtype)
    if dtype.name != "category":
        return pd.api.types.pandas_dtype(dtype.name)
    levels, of = np.empty(len(dtype.get("levels")), object), Dtype(*dtype.get("of"))
    levels[:] = dtype.get("levels")
    numbers = np.array(dtype.get("levels")) if of.numpy != "object" else levels
    fits = (
        of.holds(numbers) and len(set(map(type, levels))) < 2
    )  # others come with cells that fit never saw
    categories = pd.Index(of.series(numbers) if fits else levels)
    return pd.CategoricalDtype(categories, ordered=dtype.get("ordered"))


def _same(back: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Which cells are the same in another dtype; NumPy compares integers with floats as floats."""
    same = (back == cells) & (back.astype(cells.dtype) == cells)
    floats = [array for array in (back, cells) if array.dtype.kind == "f"]
    if len(floats) == 1:  # what casts make of larger ones differs from processor to processor
        same &= abs(floats[0]) < 2.0**63
    return same


def _array(dtype: Dtype, cells: np.ndarray, holes: np.ndarray | None) -> np.ndarray:
    """Floats where there are holes; objects where floats do not hold the cells."""
    if holes is None:
        return cells.astype(dtype.name)
    with_holes = np.where(holes, np.nan, cells)
    if dtype.meaning == "float":
        return with_holes.astype(dtype.name)
    with np.errstate(invalid="ignore"):
        exact = holes | _same(with_holes, cells)
    return with_holes if exact.all() else np.where(holes, None, cells.astype(object))


def _string_dtype(dtype: Dtype) -> Any:
    storage = dtype.get("storage")
    own = dtype.get("missing") == "NA" or storage == "pyarrow_numpy"  # that of pandas 2.2
    return pd.StringDtype(storage) if own else pd.StringDtype(storage, na_value=np.nan)


def _polars_series(dtype: Dtype, cells: np.ndarray, holes: np.ndarray | None) -> Any:
    import polars as pl

    kind = _polars_dtype(dtype)
    if all(cell is None for cell in cells):
        return pl.Series([None] * len(cells), dtype=kind)
    if dtype.get("scale") is not None:
        series = pl.Series(_decimals(dtype, cells), dtype=kind)
    elif cells.dtype == object:
        text = all(isinstance(cell, str) for cell in cells if cell is not None)
        series = pl.Series(cells.tolist(), dtype=pl.String if text else None).cast(kind)
    elif dtype.get("zone"):
        series = (
            pl.Series(cells)
            .cast(pl.Datetime(dtype.get("unit")))
            .dt.replace_time_zone("UTC")
            .cast(kind)
        )
    else:
        series = pl.Series(cells.astype(dtype.numpy) if cells.dtype.kind in "mM" else cells).cast(
            kind
        )
    return (
        series if holes is None else pl.select(pl.when(pl.Series(~holes)).then(series)).to_series()
    )


def _polars_dtype(dtype: Dtype) -> Any:
    import polars as pl

    arguments = {
        "Datetime": (dtype.get("unit"), dtype.get("zone")),
        "Duration": (dtype.get("unit"),),
        "Decimal": (dtype.get("precision"), dtype.get("scale")),
        "Enum": (list(dtype.get("levels") or ()),),
    }
    return getattr(pl, dtype.name)(*arguments.get(dtype.name, ()))


def _arrow_array(dtype: Dtype, cells: np.ndarray, holes: np.ndarray | None) -> Any:
    import pyarrow as pa

    if dtype.name == "decimal":
        make = getattr(pa, f"decimal{dtype.get('bits')}")
        kind, cells = (
            make(dtype.get("precision"), dtype.get("scale")),
            np.array(_decimals(dtype, cells), object),
        )
    elif dtype.name == "timestamp":
        kind = pa.timestamp(dtype.get("unit"), dtype.get("zone"))
        return (
            pa.array(cells.astype(dtype.numpy), mask=holes)
            .cast(pa.timestamp(dtype.get("unit")))
            .cast(kind)
        )
    elif dtype.name == "dictionary":
        value = pa.type_for_alias(dtype.get("value"))
        return (
            pa.array(cells, value)
            .dictionary_encode()
            .cast(
                pa.dictionary(pa.type_for_alias(dtype.get("index")), value, dtype.get("in_order"))
            )
        )
    else:
        kind = pa.type_for_alias(dtype.name)
        cells = cells if cells.dtype == object else cells.astype(dtype.numpy)
    return pa.array(cells, kind, mask=holes)


def _decimals(dtype: Dtype, cells: np.ndarray) -> list[Decimal]:
    """Numbers with the digits of a decimal dtype, the nearest where they do not fit."""
    scale, precision = dtype.get("scale"), dtype.get("precision")
    least, most = (Decimal((sign, (9,) * precision, -scale)) for sign in (1, 0))
    empty = pd.isna(cells)
    shown = [
        None if hole else Decimal(f"{cell:.{scale}f}")
        for cell, hole in zip(cells, empty, strict=True)
    ]
    return [cell if cell is None else max(least, min(most, cell)) for cell in shown]
