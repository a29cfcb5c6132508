"""Every dtype at fit against every later one: it works as what it means, or names the column."""

import datetime
import decimal
import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skvae import VAETransformer
from skvae.inference import _condition
from skvae.likelihoods._auto import chooser
from skvae.table import Codec, Frame, checked
from skvae.table._dtypes import Dtype, of_scalars, read, short

N = 40
RNG = np.random.default_rng(0)
BITS = RNG.integers(0, 2, N)  # values that every numeric dtype can hold
TEXT = np.array(["a", "b"])[BITS]
TIMES = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(BITS * 24, unit="h"))
SPANS = pd.Series(pd.to_timedelta(BITS * 24, unit="h"))
Z = RNG.normal(size=N)


def arrow(kind):
    return pd.ArrowDtype(kind)


def decimals(library):
    cells = [decimal.Decimal(int(bit)) for bit in BITS]
    return (
        pa.array(cells, pa.decimal128(10, 2))
        if library == "pyarrow"
        else pl.Series(cells, dtype=pl.Decimal(10, 2))
    )


NUMBERS = ["int8", "uint16", "int64", "float16", "float32", "float64", "bool"]
NUMBERS += [
    "Int32",
    "UInt8",
    "Float32",
    "boolean",
    "int64[pyarrow]",
    "double[pyarrow]",
    "bool[pyarrow]",
]
COLUMNS = {
    **{("number", name): pd.Series(BITS).astype(name) for name in NUMBERS},
    ("number", "decimal[pyarrow]"): pd.Series(
        decimals("pyarrow").to_pylist(), dtype=arrow(pa.decimal128(10, 2))
    ),
    ("number", "category of numbers"): pd.Series(BITS).astype("category"),
    ("number", "pl.Int16"): pl.Series(BITS).cast(pl.Int16),
    ("number", "pl.Float32"): pl.Series(BITS).cast(pl.Float32),
    ("number", "pl.Boolean"): pl.Series(BITS == 1),
    ("number", "pl.Decimal"): decimals("polars"),
    ("number", "pa.int64"): pa.array(BITS),
    ("number", "pa.decimal128"): decimals("pyarrow"),
    ("text", "object"): pd.Series(TEXT, dtype=object),
    ("text", "str"): pd.Series(TEXT, dtype="str"),
    ("text", "string"): pd.Series(TEXT, dtype="string"),
    ("text", "category"): pd.Series(TEXT).astype("category"),
    ("text", "ordered"): pd.Series(pd.Categorical(TEXT, ["b", "a"], ordered=True)),
    ("text", "string[pyarrow]"): pd.Series(TEXT, dtype=arrow(pa.string())),
    ("text", "pl.String"): pl.Series(TEXT.tolist()),
    ("text", "pl.Categorical"): pl.Series(TEXT.tolist(), dtype=pl.Categorical),
    ("text", "pl.Enum"): pl.Series(TEXT.tolist(), dtype=pl.Enum(["b", "a"])),
    ("text", "pa.dictionary"): pa.array(TEXT.tolist()).dictionary_encode(),
    **{
        ("time", f"datetime64[{unit}]"): TIMES.astype(f"datetime64[{unit}]")
        for unit in ("s", "us", "ns")
    },
    ("time", "timestamp[pyarrow]"): TIMES.astype("timestamp[us][pyarrow]"),
    ("time", "date32[pyarrow]"): TIMES.astype("date32[pyarrow]"),
    ("time", "pl.Datetime"): pl.Series(TIMES.tolist()),
    ("time", "pl.Date"): pl.Series(TIMES.tolist()).cast(pl.Date),
    ("time", "pa.date32"): pa.array(TIMES.dt.date.tolist()),
    ("zoned", "datetime64[us, Europe/Vienna]"): TIMES.dt.tz_localize("Europe/Vienna"),
    ("zoned", "datetime64[ns, UTC]"): TIMES.astype("datetime64[ns]").dt.tz_localize("UTC"),
    ("zoned", "datetime64[us, UTC+01:00]"): TIMES.dt.tz_localize(
        datetime.timezone(datetime.timedelta(hours=1))
    ),
    ("zoned", "pl.Datetime, UTC"): pl.Series(TIMES.tolist()).dt.replace_time_zone("UTC"),
    ("span", "timedelta64[s]"): SPANS.astype("timedelta64[s]"),
    ("span", "timedelta64[ns]"): SPANS.astype("timedelta64[ns]"),
    ("span", "duration[pyarrow]"): SPANS.astype("duration[us][pyarrow]"),
    ("span", "pl.Duration"): pl.Series([datetime.timedelta(int(bit)) for bit in BITS]),
}
WORKS = {  # what columns meant in fit, against what they mean later
    "number": {"number": True, "text": False, "time": False, "zoned": False, "span": False},
    "text": {"number": False, "text": True, "time": False, "zoned": False, "span": False},
    "time": {"number": False, "text": False, "time": True, "zoned": False, "span": False},
    "zoned": {"number": False, "text": False, "time": False, "zoned": True, "span": False},
    "span": {"number": False, "text": False, "time": False, "zoned": False, "span": True},
}
FEW = [
    "number float32",
    "number Int32",
    "number category of numbers",
    "number pl.Decimal",
    "text str",
    "text ordered",
    "text pl.Enum",
    "time datetime64[ns]",
    "time date32[pyarrow]",
    "time pl.Date",
]
MORE = [
    "number bool",
    "number int64[pyarrow]",
    "text string",
    "text pl.Categorical",
    "time pl.Datetime",
    "span duration[pyarrow]",
    "zoned datetime64[us, Europe/Vienna]",
    "zoned pl.Datetime, UTC",
    "span timedelta64[s]",
    "span pl.Duration",
]


def table(column, rows=slice(None)):
    """A column beside another, as a table of its library."""
    columns = {
        "x": column[rows] if not isinstance(column, pa.Array) else column.to_pandas().iloc[rows],
        "z": Z[rows],
    }
    if isinstance(column, pl.Series):
        return pl.DataFrame(columns)
    if isinstance(column, pa.Array):
        return pa.table({"x": column[rows.start : rows.stop], "z": Z[rows]})
    return pd.DataFrame(columns)


def only_x(X):
    return X[["x"]] if hasattr(X, "iloc") else X.select(["x"])


def python(cell):
    """A cell in Python's own types; instants without their zone, dates as midnights."""
    if isinstance(cell, (pd.Timestamp, pd.Timedelta)):
        cell = cell.to_pydatetime() if isinstance(cell, pd.Timestamp) else cell.to_pytimedelta()
    if isinstance(cell, datetime.datetime) and cell.tzinfo is not None:
        return cell.astimezone(datetime.UTC)
    if type(cell) is datetime.date:
        return datetime.datetime.combine(cell, datetime.time())
    return float(cell) if isinstance(cell, decimal.Decimal) else cell


def cells(X):
    column = X["x"]
    return list(map(python, column.to_list() if hasattr(column, "to_list") else column.to_pylist()))


def dtypes(X):
    return list(X.dtypes) if hasattr(X, "dtypes") else X.schema.types


METHODS = {
    "transform": lambda vae, X: vae.transform(X),
    "score_samples": lambda vae, X: vae.score_samples(X),
    "impute": lambda vae, X: vae.impute(X),
    "sample": lambda vae, X: vae.sample(1, random_state=0, given=only_x(X)),
    "posterior_predictive": lambda vae, X: vae.posterior_predictive(X, random_state=0),
    "fit": lambda vae, X: vae.fit(X),
}


@pytest.fixture
def anywhere(monkeypatch):
    """Conditions answered by latent points from anywhere: the way of the cells is tested."""

    def points(model, x, n, rng):
        return rng.normal(size=(n, 2)).astype(np.float32), 1e9, 1

    monkeypatch.setattr(_condition, "points_given", points)


def short_fit(X, **parameters):
    return VAETransformer(max_iter=1, hidden_layer_sizes=4, random_state=0, **parameters).fit(X)


def check(vae, meaning, later, column, method):
    """A dtype at fit against one later, in one method."""
    X = table(column, slice(0, 5))
    if not WORKS[meaning][later]:
        with pytest.raises(ValueError, match="[Cc]olumn 'x'"):
            METHODS[method](vae, X)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given = METHODS[method](vae, X)
    if method in ("impute", "sample"):
        assert cells(given) == cells(X)


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]
)
def test_a_column_works_as_what_it_means_whatever_its_dtype(name, anywhere):
    meaning, _, dtype = name.partition(" ")
    vae = short_fit(table(COLUMNS[meaning, dtype]), warm_start=True)
    for (later, _), column in COLUMNS.items():
        for method in METHODS.keys() - {"fit"}:
            check(vae, meaning, later, column, method)
    for later, other in (name.split(" ", 1) for name in FEW + MORE):
        check(vae, meaning, later, COLUMNS[later, other], "fit")


@pytest.mark.slow
@pytest.mark.parametrize(("meaning", "dtype"), COLUMNS)
def test_every_dtype_works_against_every_other_in_every_method(meaning, dtype, anywhere):
    vae = short_fit(table(COLUMNS[meaning, dtype]), warm_start=True)
    for (later, _), column in COLUMNS.items():
        for method in METHODS:
            check(vae, meaning, later, column, method)


@pytest.mark.parametrize(("meaning", "dtype"), COLUMNS)
def test_every_dtype_comes_back_as_it_was(meaning, dtype):
    X = table(COLUMNS[meaning, dtype])
    vae = short_fit(X)
    for back in (
        vae.sample(5),
        vae.inverse_transform(vae.transform(X)),
        vae.impute(X),
        vae.posterior_predictive(X),
    ):
        assert type(back) is type(X)
        assert dtypes(back) == dtypes(X)
    assert vae.impute(X).equals(X)


@pytest.mark.skipif(pd.__version__ < "3", reason="pandas 2 cannot read the zones of dateutil 4")
def test_zones_of_dateutil_come_back_as_such():
    frame = pd.DataFrame({"x": TIMES.dt.tz_localize("dateutil/Europe/Vienna"), "z": Z})
    vae = short_fit(frame)
    for back in (vae.sample(5), vae.impute(frame)):
        assert back["x"].dtype == frame["x"].dtype
    pd.testing.assert_frame_equal(vae.impute(frame), frame)


def test_dtypes_are_plain_data_that_make_series_again():
    for column in COLUMNS.values():
        values = read("x", table(column, slice(0, N))["x"])
        json.dumps(values.dtype)
        again = read("x", in_table(values.dtype.series(values.plain())))
        assert again.dtype == values.dtype
        np.testing.assert_array_equal(again.plain(), values.plain())


def in_table(series):
    """A column as a table has it."""
    return pd.Series(series) if isinstance(series, np.ndarray) else table(series, slice(0, N))["x"]


def blank(column):
    """A table whose column of that dtype has no cell."""
    values = read("x", table(column, slice(0, N))["x"])
    return table(values.dtype.series(values.plain(), np.ones(N, bool)))


@pytest.mark.parametrize("likelihood", ["auto", "categorical"])
@pytest.mark.parametrize("name", FEW)
def test_a_column_without_a_cell_is_a_column_of_holes_in_any_dtype(name, likelihood):
    meaning, _, dtype = name.partition(" ")
    X = blank(COLUMNS[meaning, dtype])
    vae = VAETransformer(likelihood={"x": "categorical" if meaning == "text" else likelihood})
    rows = checked(vae, X, reset=True)
    codec = Codec.learn(rows, Frame.of(X, rows.names), chooser(vae.likelihood), min_count=1)
    for later in (tuple(name.split(" ", 1)) for name in FEW):
        with np.errstate(all="raise"):
            x = codec.encode(checked(vae, blank(COLUMNS[later]), reset=False, like=codec.frame)).x
        assert np.isnan(x[:][:, 0]).all()


@pytest.mark.parametrize(
    ("values", "meaning"),
    [
        ([1, None], "integer"),
        ([1.5, None], "float"),
        ([True], "boolean"),
        (["a"], "category"),
        ([datetime.date(2020, 1, 1)], "datetime"),
        ([np.datetime64("2020-01-01", "s")], "datetime"),
        ([datetime.timedelta(1)], "duration"),
        ([decimal.Decimal("1.5")], "float"),
        ([pd.NA, None, np.nan, pd.NaT], "nothing"),
        ([np.int64(2**53 + 1), 0.5], "category"),
    ],
)
def test_single_values_are_read_as_what_they_mean(values, meaning):
    column = of_scalars("x", values)
    expected = "float" if meaning == "integer" and None in values else meaning
    assert column.meaning == expected


def test_a_dtype_knows_what_it_holds_by_a_round_trip():
    assert Dtype("pandas", "int8", "int8").holds(np.array([127]))
    assert not Dtype("pandas", "int8", "int8").holds(np.array([128]))
    assert not Dtype("pandas", "float32", "float32").holds(np.array([0.1]))
    assert Dtype("pandas", "float32", "float32").holds(np.array([0.5]))
    assert not Dtype("pandas", "int64", "int64").holds(np.array([2.0**63]))
    assert not Dtype("pandas", "datetime64[s]", "datetime64[s]").holds(
        np.array(["2020-01-01T00:00:00.5"], "M8[ms]")
    )
    assert not Dtype("pandas", "bool", "bool").holds(np.array([0.5]))


class Odd:
    """An object that nothing can be asked of."""

    def __repr__(self):
        raise RuntimeError("no")

    __eq__ = __hash__ = __repr__


def test_values_are_shown_in_short():
    assert short("x" * 1000).startswith("'xxxx")
    for value in ("x" * 1000, 10**10_000, Odd(), np.arange(1000), [1] * 1000):
        assert len(short(value)) < 120
    assert short(np.float64(2.5)) == "2.5"
    assert short(np.datetime64("2020-01-01")) == "2020-01-01"


REFUSED = {
    "period": (pd.Series(pd.period_range("2020", periods=N)), r"dtype period\[D\].*to_timestamp"),
    "interval": (
        pd.Series(pd.interval_range(0, N)),
        "dtype interval.*turn its intervals into text",
    ),
    "category of intervals": (pd.Series(pd.cut(Z, 4)), "dtype interval.*rename_categories"),
    "category of decimals": (
        pd.Series([decimal.Decimal("0.1")] * N, dtype=pd.ArrowDtype(pa.decimal128(5, 2))).astype(
            "category"
        ),
        r"categories of dtype decimal128\(5, 2\).*astype\(float\)",
    ),
    "category of intervals without a cell": (
        pd.Series(pd.Categorical([None] * N, categories=pd.interval_range(0, 3))),
        "dtype interval.*rename_categories",
    ),
    "category of times": (TIMES.astype("category"), "categories of dtype datetime64.*to_datetime"),
    "time": (
        pd.Series([datetime.time(1)] * N, dtype="time64[us][pyarrow]"),
        "dtype time64.*seconds since midnight",
    ),
    "pl.Time": (pl.Series([datetime.time(1)] * N), "dtype Time.*seconds since midnight"),
    "complex": (pd.Series([1j] * N), "dtype complex128.*imaginary part"),
    "pl.Int128": (pl.Series([1, 2] * (N // 2), dtype=pl.Int128), "dtype Int128.*cast it to Int64"),
    "lists of pyarrow": (
        pd.Series([[1]] * N, dtype=arrow(pa.list_(pa.int64()))),
        "dtype list.*or drop it",
    ),
    "bytes of pyarrow": (
        pd.Series([b"a"] * N, dtype=arrow(pa.binary())),
        "dtype binary.*or drop it",
    ),
    "pl.List": (pl.Series([[1]] * N), "dtype List.*or drop it"),
    "pl.Struct": (pl.Series([{"a": 1}] * N), "dtype Struct.*or drop it"),
    "pl.Object": (pl.Series([object()] * N), "dtype Object.*or drop it"),
    "dates": (
        pd.Series([datetime.date(2020, 1, 1)] * N, dtype=object),
        "objects of type date,.*to_datetime",
    ),
    "times": (
        pd.Series([datetime.time(1)] * N, dtype=object),
        "objects of type time,.*seconds since midnight",
    ),
    "decimals": (
        pd.Series([decimal.Decimal(1)] * N, dtype=object),
        r"objects of type Decimal.*astype\(float\)",
    ),
    "lists": (pd.Series([[1]] * N), r"objects of type list, such as \[1\]"),
    "dicts": (pd.Series([{}] * N), "objects of type dict"),
    "bytes": (pd.Series([b"a"] * N), "objects of type bytes"),
    "tuples": (pd.Series([(1, 2)] * N), "objects of type tuple"),
    "odd objects": (pd.Series([Odd()] * N), "objects of type Odd"),
    "half a pair of surrogates": (pd.Series(["\ud800"] * N, dtype=object), "no valid text"),
    "identifiers": (
        pd.Series(2**60 + np.arange(N)),
        "2.*53.*subtract an offset.*turn them into text",
    ),
    "decimals of many digits": (
        pl.Series([decimal.Decimal("1234567890123456.78")] * N, dtype=pl.Decimal(20, 2)),
        "more digits than float64 holds",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_learned_is_refused_by_the_name_of_its_column_and_what_to_do(name):
    column, message = REFUSED[name]
    with pytest.raises(ValueError, match=f"^Column 'x' .*{message}"):
        short_fit(table(column))


def test_of_several_odd_types_the_first_one_is_named():
    column = pd.Series([(1, 2), [1], {}, b"a"] * (N // 4))
    with pytest.raises(ValueError, match="objects of type tuple"):
        short_fit(table(column))


@pytest.mark.parametrize(
    "dtype", ["object", "str", "string", "category", "string[pyarrow]", "pl.String", "pl.Enum"]
)
def test_labels_that_differ_after_a_nul_are_different(dtype):
    texts = ["\0", "a\0", "a", "", "a\0b"] * 4
    if dtype.startswith("pl."):
        kind = pl.Enum(sorted(set(texts))) if dtype == "pl.Enum" else pl.String
        X = pl.DataFrame({"x": pl.Series(texts, dtype=kind), "z": Z[:20]})
    else:
        X = pd.DataFrame({"x": pd.Series(texts, dtype=dtype), "z": Z[:20]})
    vae = short_fit(X)
    assert vae._codec.features[0].format.levels == tuple(sorted(set(texts)))
    assert cells(vae.impute(X)) == texts
    assert set(cells(vae.sample(9))) <= set(texts)


@pytest.mark.parametrize(
    "dtype", ["Int64", "boolean", "Float64", "string", "str", "int64[pyarrow]", "string[pyarrow]"]
)
def test_categories_of_any_plain_dtype_come_back(dtype):
    cells = pd.Series(TEXT if "str" in dtype else BITS == 1 if dtype == "boolean" else BITS).astype(
        dtype
    )
    frame = pd.DataFrame({"x": cells.astype("category"), "z": Z})
    vae = short_fit(frame)
    for back in (vae.sample(3), vae.impute(frame)):
        assert back["x"].dtype == frame["x"].dtype
    pd.testing.assert_frame_equal(vae.impute(frame), frame)


def test_years_without_time_zones_and_zones_without_names_are_refused():
    far = pl.DataFrame(
        {"x": pl.Series([253402300800000000] * N).cast(pl.Datetime("us", "UTC")), "z": Z}
    )
    with pytest.raises(ValueError, match="Column 'x' has 10000-01-01.*years from 1 to 9999"):
        short_fit(far)

    class Nameless(datetime.tzinfo):
        def utcoffset(self, _):
            return datetime.timedelta(hours=1)

        def dst(self, _):
            return datetime.timedelta(0)

    misnamed = datetime.timezone(datetime.timedelta(hours=1), "CET")  # which has summer time
    for zone in (Nameless(), misnamed, "tzlocal()"):
        with pytest.raises(ValueError, match="Column 'x' has the time zone .*tz_convert"):
            short_fit(pd.DataFrame({"x": TIMES.dt.tz_localize("UTC").dt.tz_convert(zone), "z": Z}))


@pytest.mark.parametrize(("precision", "scale"), [(4, 2), (20, 5), (38, 0), (38, 10), (38, 15)])
def test_decimals_end_where_their_digits_do(precision, scale):
    most = "9" * (precision - scale) + "." + "9" * scale
    expected = list(map(decimal.Decimal, [most, f"-{most}", "0.5" if scale else "0"]))
    X = pl.DataFrame({"x": pl.Series(["0.5"]).cast(pl.Decimal(precision, scale))})
    for frame in (X, X.to_arrow()):
        back = read("x", frame["x"]).dtype.series(np.array([3e38, -3e38, 0.5]))
        assert (back.to_list() if frame is X else back.to_pylist()) == expected


def test_decimals_with_a_negative_scale_are_refused():
    X = pa.table({"x": pa.array([decimal.Decimal(100)] * N, pa.decimal128(5, -2)), "z": Z})
    with pytest.raises(
        ValueError, match=r"Column 'x' has dtype decimal128\(5, -2\).*astype\(float\)"
    ):
        short_fit(X)


@pytest.mark.parametrize("column", [pd.Categorical([None] * N), pd.Series([None] * N, dtype="str")])
def test_a_dtype_of_labels_without_a_cell_needs_a_likelihood_of_labels(column):
    with pytest.raises(ValueError, match="Column 'x' holds labels"):
        short_fit(pd.DataFrame({"x": column, "z": Z}), likelihood="gaussian")
    back = short_fit(pd.DataFrame({"x": column, "z": Z})).sample(3)
    assert back["x"].isna().all()
    assert (
        short_fit(pd.DataFrame({"x": [None] * N, "z": Z}), likelihood="gaussian")
        .sample(3)["x"]
        .isna()
        .all()
    )


EMPTY = {
    name: column
    for name, column in COLUMNS.items()
    if name[1] not in NUMBERS or name[1][0] not in "iub"
}


@pytest.mark.parametrize(("meaning", "dtype"), EMPTY)
def test_a_column_without_a_cell_stays_empty_in_its_dtype_and_keeps_cells_of_any_later_one(
    meaning, dtype, anywhere
):
    column = COLUMNS[meaning, dtype]
    X = table(column)
    if isinstance(X, pa.Table):
        empty = X.set_column(0, "x", pa.nulls(N, X.schema.types[0]))
    elif isinstance(X, pl.DataFrame):
        empty = X.with_columns(x=pl.lit(None, X.schema["x"]))
    else:
        empty = X.assign(x=X["x"].where(np.zeros(N, bool)))
    vae = short_fit(empty)
    for back in (
        vae.sample(3),
        vae.inverse_transform([[0.0, 0.0]]),
        vae.posterior_predictive(empty),
        vae.impute(empty),
    ):
        assert dtypes(back) == dtypes(empty)
        assert pd.isna(np.array(cells(back), object)).all()
    for (later, _), other in COLUMNS.items():
        rows = table(other, slice(0, 4))
        if (
            meaning == "text" or "category" in dtype or WORKS[meaning][later]
        ):  # labels that were never seen are of no kind yet
            assert cells(vae.impute(rows)) == cells(rows)
        else:
            with pytest.raises(ValueError, match="Column 'x' held"):
                vae.impute(rows)


def test_arrays_of_any_byte_order_and_signalling_holes_are_read():
    big = np.column_stack([BITS, Z]).astype(">f8")
    vae = short_fit(big, likelihood={0: "categorical"})
    np.testing.assert_array_equal(vae.transform(big), vae.transform(big.astype(float)))
    assert vae.sample(2).dtype == big.dtype
    frame = pd.DataFrame({"x": [decimal.Decimal("sNaN"), "a", "b", None] * 10, "z": Z})
    assert set(short_fit(frame).sample(20)["x"]) == {"a", "b"}
