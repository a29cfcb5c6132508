"""Dtypes of any library as plain data, and cells in NumPy as native columns of theirs."""

from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

NONE: Any = None  # that NumPy takes into arrays of objects
MEANINGS = {  # what columns hold, by the letter of their NumPy dtype
    "f": "float",
    "i": "integer",
    "u": "integer",
    "b": "boolean",
    "M": "datetime",
    "m": "duration",
    "O": "category",
}


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
    def kind(self) -> str:
        """What likelihood="auto" goes by: its meaning, or what it is known to be."""
        return self.get("kind") or self.meaning

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
        details = dict(self.details) | {"levels": tuple(levels)}
        return self._replace(details=tuple(details.items()))

    def of_numpy(self, kind: np.dtype, zone: str | None = None) -> "Dtype":
        """The usual dtype of its library for numbers, times and text of a dtype of NumPy."""
        library, name = self.library, str(kind)
        if kind.kind == "O":
            name = {"polars": "String", "pyarrow": "string"}.get(library, "object")
            return Dtype(library, name, "object")
        if kind.kind in "mM":
            return _of_times(library, kind, zone)
        if library == "polars":
            name = {"f": "Float", "i": "Int", "u": "UInt", "b": "Boolean"}.get(kind.kind, "")
            name = name if kind.kind == "b" else f"{name}{8 * kind.itemsize}"
        if library == "pyarrow":
            names = {"float64": "double", "float32": "float", "float16": "halffloat"}
            name = names.get(name, name)
        return Dtype(library, name, str(kind))

    def holds(self, cells: np.ndarray) -> bool:
        """Whether cells in NumPy come back from it as they are."""
        levels = self.get("levels")
        if levels is not None:
            return set(cells.tolist()) <= set(levels)
        if self.numpy == "object" or cells.dtype == object:
            return self.numpy == "object"
        if (np.dtype(self.numpy).kind in "mM") != (cells.dtype.kind in "mM"):
            return False
        return self._holds_numbers(cells)

    def _holds_numbers(self, cells: np.ndarray) -> bool:
        """The same of numbers and times."""
        with np.errstate(all="ignore"):
            back, scale = cells.astype(self.numpy), self.get("scale")
            if scale is not None:
                if (abs(back) >= 10.0 ** (self.get("precision") - scale)).any():
                    return False
                back = np.round(back, scale)
            return bool(_same(back, cells).all())

    def series(self, cells: np.ndarray, holes: np.ndarray | None = None) -> Any:
        """A native column of cells, empty at holes; an array where the library is NumPy."""
        holes = holes if holes is not None and holes.any() else None
        if self.library == "numpy":
            return _array(self, cells, holes)
        if cells.dtype == object:
            cells = cells if holes is None else np.where(holes, NONE, cells)
        makers = {"pandas": _pandas_series, "polars": _polars_series, "pyarrow": _arrow_array}
        return makers[self.library](self, cells, holes)


@lru_cache
def _meaning(numpy: str) -> str:
    return MEANINGS[np.dtype(numpy).kind]


def _of_times(library: str, kind: np.dtype, zone: str | None) -> Dtype:
    """The dtype of a library for datetimes or durations of NumPy, of the nearest unit it knows."""
    unit = np.datetime_data(kind)[0]
    known = ("ms", "us", "ns") if library == "polars" else ("s", "ms", "us", "ns")
    unit = unit if unit in known else known[0]
    numpy = str(np.dtype(f"{kind.kind}8[{unit}]"))
    zone = zone and zone.removeprefix("dateutil/")
    details = ("unit", unit), ("zone", zone if zone is None or "/" in zone else "UTC")
    names = {"polars": "Datetime", "pyarrow": "timestamp"}
    if kind.kind == "m":
        names = {"polars": "Duration", "pyarrow": f"duration[{unit}]"}
    return Dtype(library, names.get(library, numpy), numpy, details)


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
    return with_holes if exact.all() else np.where(holes, NONE, cells.astype(object))


def _pandas_series(dtype: Dtype, cells: np.ndarray, holes: Any) -> Any:
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
        storage = dtype.get("storage")
        own = dtype.get("missing") == "NA" or storage == "pyarrow_numpy"  # that of pandas 2.2
        return pd.StringDtype(storage) if own else pd.StringDtype(storage, na_value=np.nan)
    if dtype.name != "category":
        return pd.api.types.pandas_dtype(dtype.name)
    # Categories have their own dtype, unless some came with cells that fit never saw.
    of = Dtype(*dtype.get("of"))
    levels = np.empty(len(dtype.get("levels")), object)
    levels[:] = dtype.get("levels")
    numbers = np.array(dtype.get("levels")) if of.numpy != "object" else levels
    fits = of.holds(numbers) and len(set(map(type, levels))) < 2
    categories = pd.Index(of.series(numbers) if fits else levels)
    return pd.CategoricalDtype(categories, ordered=dtype.get("ordered"))


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
        times = pl.Series(cells).cast(pl.Datetime(dtype.get("unit")))
        series = times.dt.replace_time_zone("UTC").cast(kind)
    elif cells.dtype.kind in "mM":
        series = pl.Series(cells.astype(dtype.numpy)).cast(kind)
    else:
        series = pl.Series(cells).cast(kind)
    if holes is None:
        return series
    return pl.select(pl.when(pl.Series(~holes)).then(series)).to_series()


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

    if dtype.name == "timestamp":
        unit = dtype.get("unit")
        times = pa.array(cells.astype(dtype.numpy), mask=holes)
        times = times.cast(pa.timestamp(unit))
        return times.cast(pa.timestamp(unit, dtype.get("zone")))
    if dtype.name == "decimal":
        make = getattr(pa, f"decimal{dtype.get('bits')}")
        kind = make(dtype.get("precision"), dtype.get("scale"))
        return pa.array(np.array(_decimals(dtype, cells), object), kind, mask=holes)
    if dtype.name == "dictionary":
        value, index = map(pa.type_for_alias, (dtype.get("value"), dtype.get("index")))
        kind = pa.dictionary(index, value, dtype.get("in_order"))
        return pa.array(cells, value).dictionary_encode().cast(kind)
    cells = cells if cells.dtype == object else cells.astype(dtype.numpy)
    return pa.array(cells, pa.type_for_alias(dtype.name), mask=holes)


def _decimals(dtype: Dtype, cells: np.ndarray) -> list[Decimal | None]:
    """Numbers with the digits of a decimal dtype, the nearest where they do not fit."""
    scale, precision = dtype.get("scale"), dtype.get("precision")
    least, most = (Decimal((sign, (9,) * precision, -scale)) for sign in (1, 0))
    empty = pd.isna(cells)
    return [
        None if hole else max(least, min(most, Decimal(f"{cell:.{scale}f}")))
        for cell, hole in zip(cells, empty, strict=True)
    ]
