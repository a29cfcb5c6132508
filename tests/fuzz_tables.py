"""Random tables of any library as plain data, for test_fuzz.

The cells of a table are floats, whole numbers, text, or ticks of a unit of time; a kind turns them
into a column.
"""

import contextlib
import random
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from scipy.sparse import coo_array, csc_array, csr_array

from skvae import VAETransformer

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY = 86_400


# Cells -----------------------------------------------------------------------------------


class NoEq:
    def __eq__(self, other):
        raise RuntimeError("no ==")

    __hash__ = object.__hash__


class NoHash:
    def __hash__(self):
        raise RuntimeError("no hash")


class NoRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


class NoBool:
    def __eq__(self, other):
        return self

    def __bool__(self):
        raise RuntimeError("no bool")

    __hash__ = object.__hash__


class NoFloat(float):
    def __float__(self):
        raise RuntimeError("no float")


class Text(str):
    __slots__ = ()


ODD = {  # cells that tables of objects may hold
    "list": [1, 2],
    "dict": {"a": 1},
    "set": {1},
    "tuple": (1, 2),
    "bytes": b"x",
    "complex": 1 + 2j,
    "fraction": Fraction(1, 3),
    "decimal": Decimal("1.5"),
    "decimal nan": Decimal("NaN"),
    "decimal snan": Decimal("sNaN"),
    "date": date(2020, 1, 1),
    "datetime": datetime(2020, 1, 1, 12),
    "timedelta": timedelta(1),
    "time": datetime(2020, 1, 1, 12).time(),
    "Timestamp": pd.Timestamp("2020-01-01"),
    "zoned": pd.Timestamp("2020-01-01", tz="Europe/Vienna"),
    "Period": pd.Period("2020-01", "M"),
    "Interval": pd.Interval(0, 1),
    "datetime64": np.datetime64("2020-01-01"),
    "datetime64 year": np.datetime64("99999-01-01", "Y"),
    "timedelta64": np.timedelta64(3, "h"),
    "array": np.arange(3),
    "array 0d": np.array(1.0),
    "float128": np.longdouble(1) / 3,
    "float16": np.float16(1.5),
    "int8": np.int8(3),
    "bool_": np.True_,
    "huge": 10**400,
    "long": 10**5000,
    "2**70": 2**70,
    "infinity": inf,
    "surrogate": "\ud800",
    "Text": Text("a"),
    "no eq": NoEq(),
    "no hash": NoHash(),
    "no repr": NoRepr(),
    "no bool": NoBool(),
    "no float": NoFloat(1.5),
    "type": int,
    "ellipsis": ...,
    "polars": pl.Series([1]),
    "frame": pd.DataFrame({"a": [1]}),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "np NaT": np.datetime64("NaT"),
}
ODD_HOLES = ("NA", "NaT", "np NaT", "decimal nan", "decimal snan")
TEXTS = [
    "",
    " ",
    "x" * 5000,
    "äöü漢字🙂",
    "\x00",
    "nan",
    "None",
    "a\nb",
    "1",
    "\ud800",
    "True",
    "a" * 61 + "'\"",
    "e\u0301",
    "é",
]
FLOATS = [
    1e300,
    -1e300,
    5e-324,
    -0.0,
    0.0,
    1e-310,
    1.7976931348623157e308,
    1e15,
    1e16,
    3e38,
    9007199254740993.0,
    0.1,
]
WHOLES = [
    0,
    1,
    -1,
    127,
    255,
    2**31,
    2**53 - 1,
    2**53,
    2**53 + 1,
    -(2**53) - 1,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
]
MOMENTS = [
    0,
    -1,
    1585443600,
    1603587600,
    1603591200,
    -62135596800,
    253402300799,
    9223372036,
    -9223372036,
    253402300800,
]
SPANS = [0, 1, -1, 86_400, 9223372036, -9223372036, 10**14]
MIXED = ["a", "1", "", 1, 0, True, False, 1.5, -0.0, 2**60, "True", "ü"]


def some_float(rng: random.Random) -> float:
    return rng.choice(
        [round(rng.gauss(0, 3), 2), rng.gauss(0, 1), float(rng.randint(-3, 3)), rng.random()]
    )


ORDINARY = {
    "float": some_float,
    "whole": lambda rng: rng.randint(0, 9),
    "flag": lambda rng: rng.random() < 0.4,
    "text": lambda rng: rng.choice("abcde"),
    "moment": lambda rng: (
        1577836800 + DAY * rng.randint(0, 400) + rng.choice([0, 0, 3600, 1, 0.001, 0.000001])
    ),
    "span": lambda rng: rng.choice([DAY, 3600, 1, 0.001]) * rng.randint(0, 50),
    "decimal": lambda rng: str(Decimal(rng.randint(-500, 999)) / 100),
    "mixed": lambda rng: rng.choice(MIXED[:4]),
    "odd": lambda rng: rng.choice(list(ODD)),
}
EXTREME = {
    "float": FLOATS,
    "whole": WHOLES,
    "flag": [True],
    "text": TEXTS,
    "moment": MOMENTS,
    "span": SPANS,
    "decimal": ["0", "-0.00", "99999999.99", "12345678901234.56", "-99999999.99"],
    "mixed": MIXED,
    "odd": list(ODD),
}


class Kind(NamedTuple):
    """How cells become a column of a library."""

    base: str
    make: Callable
    most: Any = None  # the smallest and the largest cell
    nullable: bool = True
    unit: str = "s"


def cells_of(rng: random.Random, kind: Kind, n: int, before: tuple = ()) -> list:
    """n cells of a kind: ordinary, extreme or those of before; at times of one value or missing."""
    pattern = rng.choices(
        ["varied", "few", "constant", "extreme", "before", "empty"],
        [6, 3, 1, 3, 6 * bool(before), 1],
    )[0]
    pool = [ORDINARY[kind.base](rng) for _ in range({"few": 2, "constant": 1}.get(pattern, n))]
    if pattern == "extreme" or rng.random() < 0.2:
        pool += rng.choices(EXTREME[kind.base], k=2)
    if pattern == "constant":
        pool = pool[-1:]
    cells = [fitted_to(kind, cell) for cell in rng.choices(pool, k=n)]
    if pattern == "before":
        cells = [rng.choice(before) if rng.random() < 0.9 else cell for cell in cells]
    holes = 1.0 if pattern == "empty" else rng.choice([0, 0, 0.2, 0.7])
    if kind.nullable:
        cells = [hole(rng, kind) if rng.random() < holes else cell for cell in cells]
    if kind.base == "float" and rng.random() < 0.03:
        cells[rng.randrange(n)] = rng.choice([inf, -inf])
    return cells


def hole(rng: random.Random, kind: Kind) -> Any:
    return rng.choice([None, nan]) if kind.base in ("float", "mixed") else None


def fitted_to(kind: Kind, cell: Any) -> Any:
    """A cell in the unit and the range of its kind."""
    if kind.base in ("moment", "span"):
        return max(-(2**63) + 1, min(2**63 - 1, round(cell * PER_SECOND[kind.unit])))
    if kind.most is not None:
        return type(cell)(max(kind.most[0], min(kind.most[1], cell)))
    return cell


def is_hole(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


# Kinds of columns ------------------------------------------------------------------------


def reach(dtype: str) -> Any:
    letter = np.dtype(dtype).kind
    if letter in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return (-float(np.finfo(dtype).max), float(np.finfo(dtype).max)) if letter == "f" else None


def filled(cells: list, value: Any) -> list:
    return [value if is_hole(cell) else cell for cell in cells]


def of_numpy(dtype: str) -> Kind:
    letter = np.dtype(dtype).kind
    base = {
        "f": "float",
        "c": "float",
        "i": "whole",
        "u": "whole",
        "b": "flag",
        "M": "moment",
        "m": "span",
    }[letter]
    if letter in "mM":
        unit = np.datetime_data(dtype)[0]
        return Kind(
            base, lambda cells: np.array(filled(cells, -(2**63)), np.int64).view(dtype), unit=unit
        )
    empty = nan if letter in "fc" else False
    return Kind(
        base, lambda cells: np.array(filled(cells, empty), dtype), reach(dtype), letter in "fc"
    )


def of_extension(dtype: str, base: str) -> Kind:
    return Kind(
        base,
        lambda cells: pd.Series(filled(cells, None), dtype=object).astype(dtype),
        reach_of_name(dtype),
    )


def reach_of_name(dtype: str) -> Any:
    with contextlib.suppress(TypeError):
        return reach(dtype.lower())
    return None


def objects(cells: list) -> np.ndarray:
    column = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        column[i] = cell
    return column


def of_objects(cells: list) -> pd.Series:
    return pd.Series(objects(cells), dtype=object)


def of_category(base: str, levels: Callable = lambda cells: cells, ordered: bool = False) -> Kind:
    def make(cells: list) -> pd.Series:
        present = levels(list(dict.fromkeys(cell for cell in cells if not is_hole(cell))))
        codes = [
            -1
            if is_hole(cell)
            else list(dict.fromkeys(c for c in cells if not is_hole(c))).index(cell)
            for cell in cells
        ]
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(present), ordered=ordered))

    return Kind(base, make)


def zoned(unit: str, zone: Any) -> Kind:
    make = of_numpy(f"datetime64[{unit}]").make
    return Kind(
        "moment",
        lambda cells: pd.Series(make(cells)).dt.tz_localize("UTC").dt.tz_convert(zone),
        unit=unit,
    )


def arrow(base: str, dtype: Any, unit: str = "s", most: Any = None) -> Kind:
    def make(cells: list) -> pa.Array:
        if base in ("moment", "span"):
            return pa.array(cells, pa.int64()).cast(dtype)
        if base == "decimal":
            return pa.array([cell if cell is None else Decimal(cell) for cell in cells], dtype)
        return pa.array(cells, dtype)

    return Kind(base, make, most, unit=unit)


def in_polars(
    base: str, dtype: Any, unit: str = "s", most: Any = None, zone: str | None = None
) -> Kind:
    def make(cells: list) -> pl.Series:
        if base in ("moment", "span"):
            series = pl.Series(cells, dtype=pl.Int64).cast(dtype)
            return series.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else series
        if base == "decimal":
            return pl.Series(
                [cell if cell is None else Decimal(cell) for cell in cells], dtype=dtype
            )
        if dtype is pl.Enum:
            return pl.Series(
                cells, dtype=pl.Enum(list(dict.fromkeys([*cells, "unused"]) - {None: 0}.keys()))
            )
        return pl.Series(cells, dtype=dtype)

    return Kind(base, make, most, unit=unit)


NUMPY = {
    name: of_numpy(name)
    for name in (
        "float64",
        "float32",
        "float16",
        "int64",
        "int32",
        "int8",
        "uint8",
        "uint64",
        "bool",
    )
}
TIMES = [f"{what}64[{unit}]" for what in ("datetime", "timedelta") for unit in PER_SECOND]
INTEGER = (-(2**63), 2**63 - 1)
SINGLE = reach("float32")
ARROW = {
    "int64": arrow("whole", pa.int64(), most=INTEGER),
    "uint8": arrow("whole", pa.uint8(), most=(0, 255)),
    "double": arrow("float", pa.float64()),
    "float": arrow("float", pa.float32(), most=SINGLE),
    "bool": arrow("flag", pa.bool_()),
    "string": arrow("text", pa.string()),
    "large_string": arrow("text", pa.large_string()),
    "dictionary": arrow("text", pa.dictionary(pa.int32(), pa.string())),
    "timestamp[s]": arrow("moment", pa.timestamp("s"), "s"),
    "timestamp[us]": arrow("moment", pa.timestamp("us"), "us"),
    "timestamp[ns, zone]": arrow("moment", pa.timestamp("ns", "Europe/Vienna"), "ns"),
    "timestamp[ms, +02:00]": arrow("moment", pa.timestamp("ms", "+02:00"), "ms"),
    "int8": arrow("whole", pa.int8(), most=(-128, 127)),
    "uint64": arrow("whole", pa.uint64(), most=(0, 2**64 - 1)),
    "string_view": arrow("text", pa.string_view()),
    "large dictionary": arrow("text", pa.dictionary(pa.int8(), pa.large_string())),
    "dictionary of whole": arrow("whole", pa.dictionary(pa.int32(), pa.int64()), most=INTEGER),
    "timestamp[us, UTC]": arrow("moment", pa.timestamp("us", "UTC"), "us"),
    "date64": Kind(
        "span",
        lambda cells: pa.array(
            [c and c // DAY % 10**6 * DAY * 1000 for c in cells], pa.int64()
        ).cast(pa.date64()),
    ),
    "fixed binary": Kind("text", lambda cells: pa.array([b"ab" for _ in cells], pa.binary(2))),
    "struct": Kind("whole", lambda cells: pa.array([{"x": cell} for cell in cells])),
    **({"decimal32": arrow("decimal", pa.decimal32(7, 2))} if hasattr(pa, "decimal32") else {}),
    "duration[ns]": arrow("span", pa.duration("ns"), "ns"),
    "duration[ms]": arrow("span", pa.duration("ms"), "ms"),
    "date32": Kind(
        "span",
        lambda cells: pa.array([c and c // DAY % 10**6 for c in cells], pa.int32()).cast(
            pa.date32()
        ),
    ),
    "time64": Kind(
        "span",
        lambda cells: pa.array([c and c % 1000 for c in cells], pa.int64()).cast(pa.time64("us")),
    ),
    "decimal": arrow("decimal", pa.decimal128(12, 2)),
    "decimal256": arrow("decimal", pa.decimal256(40, 3)),
    "null": Kind("text", lambda cells: pa.nulls(len(cells))),
    "binary": arrow("text", pa.binary()),
    "list": Kind("whole", lambda cells: pa.array([[cell] for cell in cells])),
    "halffloat": Kind(
        "float", lambda cells: pa.array(np.array(filled(cells, nan), np.float16)), reach("float16")
    ),
}
POLARS = {
    "Int64": in_polars("whole", pl.Int64, most=INTEGER),
    "Int8": in_polars("whole", pl.Int8, most=(-128, 127)),
    "UInt8": in_polars("whole", pl.UInt8, most=(0, 255)),
    "Int16": in_polars("whole", pl.Int16, most=(-(2**15), 2**15 - 1)),
    "Array": Kind(
        "whole", lambda cells: pl.Series([[cell] for cell in cells], dtype=pl.Array(pl.Int64, 1))
    ),
    "Decimal(38, 10)": in_polars("decimal", pl.Decimal(38, 10)),
    "Datetime[us, UTC]": in_polars("moment", pl.Datetime("us"), "us", zone="UTC"),
    "Duration[ns]": in_polars("span", pl.Duration("ns"), "ns"),
    "UInt64": in_polars("whole", pl.UInt64, most=(0, 2**64 - 1)),
    "Int128": in_polars("whole", pl.Int128),
    "Float64": in_polars("float", pl.Float64),
    "Float32": in_polars("float", pl.Float32, most=SINGLE),
    "Boolean": in_polars("flag", pl.Boolean),
    "String": in_polars("text", pl.String),
    "Categorical": in_polars("text", pl.Categorical),
    "Enum": in_polars("text", pl.Enum),
    "Datetime[ms]": in_polars("moment", pl.Datetime("ms"), "ms"),
    "Datetime[us]": in_polars("moment", pl.Datetime("us"), "us"),
    "Datetime[ns]": in_polars("moment", pl.Datetime("ns"), "ns"),
    "Datetime[us, zone]": in_polars("moment", pl.Datetime("us"), "us", zone="Europe/Vienna"),
    "Duration": in_polars("span", pl.Duration("us"), "us"),
    "Date": Kind(
        "span",
        lambda cells: pl.Series([c and c // DAY % 10**6 for c in cells], dtype=pl.Int32).cast(
            pl.Date
        ),
    ),
    "Time": Kind(
        "span",
        lambda cells: pl.Series([c and c % 1000 for c in cells], dtype=pl.Int64).cast(pl.Time),
    ),
    "Decimal": in_polars("decimal", pl.Decimal(12, 2)),
    "Null": Kind("text", lambda cells: pl.Series([None] * len(cells), dtype=pl.Null)),
    "Object": Kind(
        "odd", lambda cells: pl.Series([ODD.get(cell) for cell in cells], dtype=pl.Object)
    ),
    "List": Kind("whole", lambda cells: pl.Series([[cell] for cell in cells])),
    "Struct": Kind("whole", lambda cells: pl.Series([{"x": cell} for cell in cells])),
    "Binary": Kind(
        "text", lambda cells: pl.Series([cell and cell.encode() for cell in cells], dtype=pl.Binary)
    ),
}
PANDAS = {
    **NUMPY,
    "complex128": of_numpy("complex128"),
    **{name: of_numpy(name) for name in TIMES},
    **{name: of_extension(name, "whole") for name in ("Int64", "Int8", "UInt64")},
    **{name: of_extension(name, "float") for name in ("Float64", "Float32")},
    "boolean": of_extension("boolean", "flag"),
    **{name: of_extension(name, "text") for name in ("str", "string[python]", "string[pyarrow]")},
    "object text": Kind("text", of_objects),
    "object float": Kind("float", of_objects),
    "object flag": Kind("flag", of_objects),
    "object whole": Kind("whole", of_objects),
    "object mixed": Kind("mixed", of_objects),
    "object decimal": Kind(
        "decimal", lambda cells: of_objects([cell and Decimal(cell) for cell in cells])
    ),
    "object odd": Kind("odd", lambda cells: of_objects([ODD.get(cell) for cell in cells])),
    "object moment": Kind(
        "moment",
        lambda cells: of_objects(
            [cell if cell is None else pd.Timestamp(cell, unit="s") for cell in cells]
        ),
    ),
    "category text": of_category("text"),
    "category ordered": of_category("text", ordered=True),
    "category whole": of_category("whole"),
    "category float": of_category("float"),
    "category flag": of_category("flag"),
    "category mixed": of_category("mixed", objects),
    "category moment": of_category("moment", lambda levels: pd.to_datetime(levels, unit="s")),
    "zoned[ns]": zoned("ns", "Europe/Vienna"),
    "zoned[s]": zoned("s", "America/New_York"),
    "zoned[us, +02:00]": zoned("us", "UTC+02:00"),
    "zoned[ns, dateutil]": zoned("ns", "dateutil/Europe/Vienna"),
    "zoned[ms, +05:30]": zoned("ms", timezone(timedelta(minutes=330))),
    "zoned[us, named]": zoned("us", timezone(timedelta(hours=1), "home")),
    "category arrow": of_category("text", lambda levels: pd.Index(levels, dtype="string[pyarrow]")),
    "category unused": of_category("text", lambda levels: [*levels, "unused"]),
    "period": Kind(
        "whole",
        lambda cells: pd.Series(pd.PeriodIndex.from_ordinals([c or 0 for c in cells], freq="M")),
        (0, 500),
    ),
    "interval": Kind(
        "whole",
        lambda cells: pd.Series(
            pd.arrays.IntervalArray.from_tuples([(c or 0, (c or 0) + 1) for c in cells])
        ),
        (0, 9),
    ),
    "sparse": Kind(
        "float", lambda cells: pd.Series(pd.arrays.SparseArray(np.array(filled(cells, nan))))
    ),
    **{
        f"{name}[pyarrow]": kind._replace(
            make=lambda cells, make=kind.make: pd.Series(pd.arrays.ArrowExtensionArray(make(cells)))
        )
        for name, kind in ARROW.items()
    },
}
ARRAYS = {
    **NUMPY,
    "complex128": PANDAS["complex128"],
    "object float": PANDAS["object float"],
    "object mixed": PANDAS["object mixed"],
}
MASKED = {name: kind._replace(nullable=True) for name, kind in NUMPY.items()}
KINDS = {
    "pandas": PANDAS,
    "polars": POLARS,
    "pyarrow": ARROW,
    "array": ARRAYS,
    "masked": MASKED,
    "list": ARRAYS,
    "csr": NUMPY,
}
KINDS["csr"] = {name: kind for name, kind in NUMPY.items() if name != "float16"}
REFUSED = (
    "complex",
    "object decimal",
    "object moment",
    "period",
    "interval",
    "sparse",
    "category moment",
    "time64",
)
REFUSED += ("binary", "fixed", "list", "struct", "array", "int128", "uint128")
FRAMES = ("pandas", "polars", "pyarrow")
NAMES = ["a", "b", "c", "x y", "", "ä€🙂", "n" * 300, "it's", "0", "col\nname"]
ODD_NAMES = [
    0,
    1,
    2.5,
    None,
    True,
    ("a", 1),
    ("a", 2),
    "\ud800",
    b"x",
    nan,
    pd.Timestamp("2020-01-01"),
    -1,
    2**70,
    date(2020, 1, 1),
]


# Tables ----------------------------------------------------------------------------------


class Col(NamedTuple):
    kind: str
    cells: list


class Table(NamedTuple):
    library: str
    names: list
    columns: list
    index: str = "range"

    @property
    def n(self) -> int:
        return len(self.columns[0].cells) if self.columns else 0


class Junk(NamedTuple):
    what: str


class Given(NamedTuple):
    """A dict of conditions: a library and a column of one cell for each name."""

    names: list
    cells: list


class Points(NamedTuple):
    form: str
    rows: list


JUNK = {
    "text": lambda: "table.csv",
    "path": lambda: Path("table.csv"),
    "generator": lambda: (row for row in [[1.0], [2.0]]),
    "iterator": lambda: iter([[1.0], [2.0]]),
    "range": lambda: range(3),
    "dict": lambda: {"a": [1.0, 2.0]},
    "LazyFrame": lambda: pl.LazyFrame({"a": [1.0, 2.0]}),
    "None": lambda: None,
    "number": lambda: 3,
    "class": lambda: VAETransformer,
    "estimator": lambda: VAETransformer(),
    "Series": lambda: pd.Series([1.0, 2.0]),
    "polars Series": lambda: pl.Series([1.0, 2.0]),
    "ChunkedArray": lambda: pa.chunked_array([[1.0, 2.0]]),
    "RecordBatch": lambda: pa.record_batch({"a": [1.0, 2.0]}),
    "Index": lambda: pd.Index([1.0, 2.0]),
    "1d": lambda: np.zeros(3),
    "0d": lambda: np.array(1.0),
    "3d": lambda: np.zeros((2, 3, 4)),
    "no rows": lambda: pd.DataFrame({"a": []}),
    "no columns": lambda: pd.DataFrame(index=range(3)),
    "nothing": lambda: [],
    "polars nothing": lambda: pl.DataFrame(),
    "arrow nothing": lambda: pa.table({}),
    "empty rows": lambda: [[], []],
    "ragged": lambda: [[1.0], [2.0, 3.0]],
    "lists in cells": lambda: [[[1], [2]], [[3], [4, 5]]],
    "dicts": lambda: [{"a": 1}, {"a": 2}],
    "texts": lambda: ["a", "b"],
    "text cells": lambda: [["a", "b"], ["c", "d"]],
    "set": lambda: {(1.0, 2.0)},
    "structured": lambda: np.zeros(3, [("a", float), ("b", int)]),
    "times": lambda: np.zeros((3, 2), "datetime64[ns]"),
    "bytes": lambda: np.array([[b"a"], [b"b"]]),
    "complex": lambda: np.ones((3, 2), complex),
    "odd objects": lambda: objects(list(ODD.values()))[:, None],
    "surrogates": lambda: np.array([["\ud800"], ["b"]]),
    "matrix": lambda: np.asmatrix(np.eye(3)),
    "csc": lambda: csc_array(np.eye(3)),
    "coo": lambda: coo_array(np.eye(3)),
    "csr infinite": lambda: csr_array(np.array([[inf, 0.0], [1.0, 2.0]])),
    "csr complex": lambda: csr_array(np.eye(3) * 1j),
    "same names": lambda: pd.DataFrame(np.zeros((3, 2)), columns=["a", "a"]),
    "two levels of names": lambda: pd.DataFrame(
        np.eye(2), columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    ),
    "time names": lambda: pd.DataFrame(np.eye(2), columns=pd.date_range("2020", periods=2)),
    "categorical names": lambda: pd.DataFrame(np.eye(2), columns=pd.CategoricalIndex(["a", "b"])),
    "interval names": lambda: pd.DataFrame(np.eye(2), columns=pd.interval_range(0, 2)),
    "longdouble": lambda: np.eye(3, dtype=np.longdouble),
    "big objects": lambda: np.array([[10**400], [1]], object),
    "no dtype": lambda: memoryview(b"abc"),
    "bytes itself": lambda: b"abc",
    "no repr": lambda: NoRepr(),
    "no eq": lambda: NoEq(),
    "no bool": lambda: NoBool(),
    "read-only": lambda: frozen(np.eye(3)),
    "big-endian": lambda: np.eye(3).astype(">f8"),
    "big-endian frame": lambda: pd.DataFrame(
        {"a": np.arange(9.0).astype(">f8"), "b": np.arange(9).astype(">i4")}
    ),
    "strided": lambda: np.arange(36.0).reshape(6, 6)[::2, ::-3],
}


def frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def build(X: Any, train: Table | None = None) -> Any:
    """What a description stands for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(X, Junk):
            return JUNK[X.what]()
        if isinstance(X, Given):
            return {name: scalar(*cell) for name, cell in zip(X.names, X.cells, strict=True)}
        if isinstance(X, Points):
            return points(X)
        table = BUILD[X.library](
            X, [KINDS[X.library][column.kind].make(column.cells) for column in X.columns]
        )
        return in_chunks(table) if X.index == "chunks" else table


def scalar(library: str, kind: str, cell: Any) -> Any:
    if kind == "odd":
        return ODD[cell]
    column = KINDS[library][kind].make([cell])
    return column[0].as_py() if isinstance(column, pa.Array) else column[0]


def points(Z: Points) -> Any:
    forms = {
        "list": lambda z: z.tolist(),
        "frame": pd.DataFrame,
        "single": lambda z: z.astype(np.float32),
    }
    forms["polars"] = lambda z: pl.DataFrame(z)
    with np.errstate(all="ignore"):
        return forms.get(Z.form, lambda z: z)(np.array(Z.rows, float))


def in_chunks(table: Any) -> Any:
    """A table of polars or pyarrow whose columns lie in two pieces."""
    parts = [table.slice(0, 3), table.slice(3)]
    return (
        pa.concat_tables(parts) if isinstance(table, pa.Table) else pl.concat(parts, rechunk=False)
    )


def pandas_table(X: Table, columns: list) -> pd.DataFrame:
    frame = pd.DataFrame(dict(enumerate(columns)))
    frame.columns = list(X.names)
    makes = {
        "text": lambda n: [f"r{i}" for i in range(n)],
        "same": lambda n: [1] * n,
        "time": lambda n: pd.date_range("2020", periods=n, tz="UTC"),
        "two": lambda n: pd.MultiIndex.from_arrays([range(n), [None] * n]),
    }
    return frame.set_axis(makes[X.index](X.n)) if X.index in makes else frame


def masked_table(X: Table, columns: list) -> np.ma.MaskedArray:
    mask = np.array([[is_hole(cell) for cell in column.cells] for column in X.columns]).T
    return np.ma.MaskedArray(np.column_stack(columns), mask)


BUILD = {
    "pandas": pandas_table,
    "polars": lambda X, columns: pl.DataFrame(dict(zip(X.names, columns, strict=True))),
    "pyarrow": lambda X, columns: pa.table(columns, names=list(X.names)),
    "array": lambda X, columns: np.column_stack(columns),
    "masked": masked_table,
    "list": lambda X, columns: np.column_stack(columns).tolist(),
    "csr": lambda X, columns: csr_array(np.column_stack(columns)),
}


def can_be_built(X: Any) -> bool:
    """Whether the library itself takes such cells."""
    try:
        build(X)
    except BaseException as error:  # polars panics
        if isinstance(error, KeyboardInterrupt):
            raise
        return False
    return True


# Cells of any library in Python's own types: None in holes, (nanoseconds,) for times ------


def plain(X: Any) -> list[list]:
    """The columns of a table."""
    if isinstance(X, pd.DataFrame):
        return [pandas_cells(X.iloc[:, j]) for j in range(X.shape[1])]
    if isinstance(X, pl.DataFrame):
        return [
            arrow_cells(column.to_arrow())
            if column.dtype not in (pl.Object, pl.Int128)
            else column.to_list()
            for column in X
        ]
    if isinstance(X, pa.RecordBatch):
        X = pa.Table.from_batches([X])
    if isinstance(X, pa.Table):
        return [arrow_cells(column.combine_chunks()) for column in X.columns]
    if np.ma.isMaskedArray(X):
        cells = np.where(np.ma.getmaskarray(X), None, np.ma.getdata(X).astype(object))
    else:
        cells = (
            X.toarray() if hasattr(X, "tocsr") else np.asarray(X)
        )  # numbers in lists are what NumPy takes them for
        cells = (
            cells if hasattr(X, "dtype") or cells.dtype.kind in "biuf" else np.asarray(X, object)
        )
    return [list(map(normal, column)) for column in cells.T]


def pandas_cells(column: pd.Series) -> list:
    if isinstance(column.dtype, pd.ArrowDtype):
        return arrow_cells(pa.chunked_array(column.array.__arrow_array__()).combine_chunks())
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if column.dtype.kind in "mM":
        return list(map(normal, column.to_numpy()))
    return list(map(normal, column.astype(object)))


def arrow_cells(column: pa.Array) -> list:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        factor = 10**9 // PER_SECOND[kind.unit]
        return [
            None if cell is None else (cell * factor,)
            for cell in column.cast(pa.int64()).to_pylist()
        ]
    if pa.types.is_date32(kind):
        return [
            None if cell is None else (cell * DAY * 10**9,)
            for cell in column.cast(pa.int32()).to_pylist()
        ]
    return list(map(normal, column.to_pylist()))


def normal(cell: Any) -> Any:
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, (pd.Timestamp, pd.Timedelta)):
        cell = (cell.tz_convert(None) if getattr(cell, "tz", None) else cell).asm8
    if isinstance(cell, timedelta):
        cell = np.timedelta64(cell, "us")
    if isinstance(cell, date):
        cell = cell.astimezone(UTC).replace(tzinfo=None) if getattr(cell, "tzinfo", None) else cell
        cell = np.datetime64(cell, "us")
    if isinstance(cell, (np.datetime64, np.timedelta64)):
        unit = np.datetime_data(cell)[0]
        cell = cell.astype(cell.dtype.str[:2] + "8[s]") if unit not in PER_SECOND else cell
        unit = np.datetime_data(cell)[0]
        return (
            None if np.isnat(cell) else (int(cell.astype(np.int64)) * (10**9 // PER_SECOND[unit]),)
        )
    cell = cell.item() if isinstance(cell, np.generic) else cell
    missing = (
        cell.is_nan() if isinstance(cell, Decimal) else isinstance(cell, float) and cell != cell
    )
    return None if missing else cell
