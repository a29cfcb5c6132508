"""Columns of every dtype go in and come back as they were."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skvae import VAETransformer

N = 40
NAMES = st.text("abcxyz 0_é", min_size=1, max_size=5)
LEVELS = st.lists(NAMES, min_size=1, max_size=4, unique=True)


def short(**parameters):
    return VAETransformer(max_iter=1, hidden_layer_sizes=4, random_state=0, **parameters)


def series(values, dtype):
    return st.lists(values, min_size=N, max_size=N).map(lambda cells: pd.Series(cells, dtype=dtype))


def with_holes(column, hole):
    holes = st.lists(st.booleans(), min_size=N, max_size=N)
    return st.tuples(column, holes).map(lambda pair: pair[0].where(~np.array(pair[1]), hole))


def categories(ordered):
    def column(levels):
        cells = st.lists(st.sampled_from(levels), min_size=N, max_size=N)
        return cells.map(
            lambda cells: pd.Series(
                pd.Categorical(cells, categories=[*levels, "never"], ordered=ordered)
            )
        )

    return LEVELS.flatmap(column)


FLOATS = st.floats(-1e9, 1e9, width=32)
WHOLE = st.integers(-(2**40), 2**40)
BYTES = st.integers(0, 255)
BITS = st.booleans()
TIMES = st.datetimes(pd.Timestamp("1950-01-01"), pd.Timestamp("2050-01-01"))
COLUMNS = {
    "float64": with_holes(series(FLOATS, "float64"), np.nan),
    "float32": with_holes(series(FLOATS, "float32"), np.nan),
    "Float64": with_holes(series(FLOATS, "Float64"), pd.NA),
    "int64": series(WHOLE, "int64"),
    "uint8": series(BYTES, "uint8"),
    "Int64": with_holes(series(WHOLE, "Int64"), pd.NA),
    "UInt8": with_holes(series(BYTES, "UInt8"), pd.NA),
    "bool": series(BITS, "bool"),
    "boolean": with_holes(series(BITS, "boolean"), pd.NA),
    "object": with_holes(series(NAMES, object), None),
    "object of booleans": with_holes(series(BITS, object), None),
    "str": with_holes(series(NAMES, "str"), None),
    "string": with_holes(series(NAMES, "string"), pd.NA),
    "category": with_holes(categories(ordered=False), np.nan),
    "ordered category": with_holes(categories(ordered=True), np.nan),
    "datetime": with_holes(series(TIMES, "datetime64[us]"), pd.NaT),
    "datetime with zone": with_holes(
        series(TIMES, "datetime64[us]").map(
            lambda s: s.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
        ),
        pd.NaT,
    ),
}


def within(back, column):
    """Whether no cell is new: labels among those seen, whole numbers and times in their range."""
    seen = column.dropna()
    if (
        isinstance(column.dtype, pd.CategoricalDtype)
        or column.dtype.kind in "OUT"
        or column.dtype == "str"
    ):
        return set(back.dropna()) <= set(seen)
    if column.dtype.kind == "f":
        return True
    return not len(seen) or (back.min() >= seen.min() and back.max() <= seen.max())


@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.fixed_dictionaries(COLUMNS))
def test_a_frame_of_every_dtype_comes_back_as_it_was(columns):
    frame = pd.DataFrame(columns).set_index(np.arange(N) * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vae = short().fit(frame)
        filled = vae.impute(frame)
        tables = (
            vae.sample(N),
            vae.inverse_transform(vae.transform(frame)),
            vae.posterior_predictive(frame),
            filled,
        )
    for back in tables:
        assert list(back.columns) == list(frame.columns)
        assert dict(back.dtypes) == dict(frame.dtypes)
        assert all(within(back[name], frame[name]) for name in frame)
    assert filled.index.equals(frame.index)
    assert filled.where(frame.notna()).equals(frame.where(frame.notna()))
    empty = {name for name in frame if frame[name].isna().all()}
    assert {name for name in frame if filled[name].isna().any()} <= empty


@pytest.mark.smoke
def test_a_polars_frame_of_every_dtype_comes_back_as_it_was():
    rng = np.random.default_rng(0)
    hours = pl.Series(rng.integers(0, 10_000, N))
    frame = pl.DataFrame(
        {"f": rng.normal(size=N), "i": rng.integers(0, 9, N), "b": rng.random(N) < 0.5}
    )
    frame = frame.with_columns(
        text=pl.Series(rng.choice(["a", "b"], N)),
        single=pl.col("f").cast(pl.Float32),
        when=pl.datetime(2020, 1, 1) + pl.duration(hours=hours),
        zoned=(pl.datetime(2020, 1, 1) + pl.duration(hours=hours)).dt.replace_time_zone("UTC"),
        day=pl.date(2020, 1, 1) + pl.duration(days=pl.col("i")),
    )
    frame = frame.with_columns(
        category=pl.col("text").cast(pl.Categorical),
        enum=pl.col("text").cast(pl.Enum(["b", "a", "never"])),
    )
    holes = frame.select(
        pl.when(pl.Series(rng.random(N) < 0.3)).then(None).otherwise(pl.all()).name.keep()
    )
    for X in (frame, holes):
        vae = short().fit(X)
        filled = vae.impute(X)
        for back in (vae.sample(5), vae.inverse_transform(vae.transform(X)), filled):
            assert back.schema == X.schema
        assert filled.null_count().sum_horizontal().item() == 0
        for name in X.columns:
            assert (filled[name] == X[name]).drop_nulls().all()


@pytest.mark.smoke
def test_datetimes_come_back_as_round_as_they_were():
    days = pd.Series(pd.Timestamp("2020-02-29") + pd.to_timedelta(np.arange(300), unit="D"))
    frame = pd.DataFrame(
        {"day": days, "minute": days + pd.to_timedelta(np.arange(300), unit="min")}
    )
    drawn = short().fit(frame).sample(100, random_state=0)
    assert (drawn["day"] == drawn["day"].dt.normalize()).all()
    assert (drawn["minute"] == drawn["minute"].dt.floor("min")).all()


@pytest.mark.parametrize("zone", ["Europe/Vienna", "America/New_York", "Asia/Kolkata"])
def test_days_of_a_zone_come_back_as_its_midnights(zone):
    days = pd.Series(pd.date_range("2019-01-01", periods=700, freq="D", tz=zone))
    drawn = short().fit(pd.DataFrame({"day": days})).sample(500, random_state=0)["day"]
    assert drawn.dtype == days.dtype
    assert drawn.isin(days).mean() > 0.99


@pytest.mark.parametrize(
    "convert",
    [lambda frame: frame, lambda frame: pl.DataFrame(frame.to_dict("list"))],
    ids=["pandas", "polars"],
)
def test_any_column_may_be_left_out_later(convert):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.normal(size=N), "k": rng.integers(0, 5, N), "s": rng.choice(["a", "b"], N)}
    )
    frame = convert(
        frame.assign(
            t=pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, N), unit="D")
        )
    )
    vae = short().fit(frame)
    for name in frame.columns:
        without = (
            frame.assign(**{name: None})
            if hasattr(frame, "iloc")
            else frame.with_columns(pl.lit(None).alias(name))
        )
        filled = vae.impute(without)
        assert filled[name].dtype == frame[name].dtype
        assert np.isfinite(vae.score(without))


def test_values_beyond_the_dtype_of_fit_are_kept():
    frame = pl.DataFrame({"k": pl.Series(np.arange(N) % 7, dtype=pl.UInt8), "x": np.arange(N) / 7})
    filled = short().fit(frame).impute(pl.DataFrame({"k": [300, -3, None], "x": [1.0, None, 2.0]}))
    assert filled["k"].to_list()[:2] == [300, -3]
    assert filled.null_count().sum_horizontal().item() == 0


def test_a_frame_of_another_library_is_filled_as_that_of_fit():
    frame = pd.DataFrame({"x": np.arange(N) / 7, "s": ["a", "b"] * (N // 2)})
    filled = short().fit(frame).impute(pl.DataFrame({"x": [1.0, None], "s": [None, "b"]}))
    assert isinstance(filled, pd.DataFrame)
    assert filled.loc[0, "x"] == 1.0
    assert filled.loc[1, "s"] == "b"


def test_values_that_repeat_come_back_exactly():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"amount": np.where(rng.random(2000) < 0.6, 0.1, rng.lognormal(3, 1, 2000)).round(6)}
    )
    drawn = (
        short(likelihood={"amount": "histogram"}).fit(frame).sample(2000, random_state=0)["amount"]
    )
    assert (drawn == 0.1).mean() == pytest.approx(0.6, abs=0.1)
    assert drawn.between(frame["amount"].min(), frame["amount"].max()).all()


def test_the_score_of_whole_numbers_is_a_probability_and_of_bins_a_density():
    rng = np.random.default_rng(0)
    few, many = (
        pd.DataFrame({"x": rng.integers(0, 30, 500)}),
        pd.DataFrame({"x": rng.integers(0, 10_000, 500)}),
    )
    every = pd.DataFrame({"x": np.arange(30)})
    assert np.exp(short().fit(few).score_samples(every, n_draws=1000)).sum() == pytest.approx(
        1, abs=0.02
    )
    every = pd.DataFrame({"x": np.arange(-60_000, 70_000)})
    assert np.exp(short().fit(many).score_samples(every, n_draws=8)).sum() == pytest.approx(
        1, abs=0.02
    )


def test_levels_may_be_numbers_where_the_user_says_so():
    frame = pd.DataFrame({"zip": np.random.default_rng(0).choice([10115, 80331, 50667], 60)})
    vae = short(likelihood={"zip": "categorical"}).fit(frame)
    assert set(vae.sample(100)["zip"]) <= {10115, 80331, 50667}
    assert vae.sample(5)["zip"].dtype == np.int64
    array = short(likelihood={0: "categorical"}).fit(frame.to_numpy())
    assert set(array.sample(100)[:, 0]) <= {10115, 80331, 50667}


def test_rare_levels_are_drawn_as_often_as_they_were_seen():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "job": rng.choice(["a", "b", "rare"], 3000, p=[0.6, 0.38, 0.02]),
            "x": rng.normal(size=3000),
        }
    )
    vae = VAETransformer(max_iter=10, hidden_layer_sizes=16, random_state=0).fit(frame)
    shares = vae.sample(20_000, random_state=0)["job"].value_counts(normalize=True)
    assert shares["rare"] == pytest.approx(0.02, abs=0.01)


def test_a_column_that_held_numbers_may_not_hold_text_later():
    vae = short().fit(pd.DataFrame({"x": [1.0, 2, 3], "y": [1, 2, 3]}))
    with pytest.raises(ValueError, match="Column 'x' held numbers in fit, but now has 'seven'"):
        vae.transform(pd.DataFrame({"x": ["seven", None], "y": [1, 2]}))


WIDER = {  # dtype of fit, and cells of a wider one that it cannot hold
    "float32": [0.1, 1e39, None],
    "float16": [0.1, 1e6, None],
    "bool": [0.5, None],
    "int8": [300, None, -129],
    "uint8": [-1, None, 2.5],
    "Int8": [300, None],
    "datetime64[s]": [pd.Timestamp("2020-01-01 00:00:00.5"), None],
    "datetime64[us]": [pd.Timestamp("2020-01-01 00:00:00.000000001"), None],
    "datetime64[ns]": [pd.Timestamp("9999-01-01"), None],
    "timedelta64[s]": [pd.Timedelta(1, unit="ms"), None],
    "float[pyarrow]": [0.1, None],
    "uint8[pyarrow]": [300, None],
    "date32[pyarrow]": [pd.Timestamp("2020-01-01 12:00:00"), None],
}


@pytest.mark.parametrize("dtype", WIDER)
@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_observed_cells_come_back_as_they_are_in_a_wider_dtype_where_need_be(dtype, convert):
    if dtype == "float16" and convert is pl.from_pandas:
        pytest.skip("polars reads no float16 of pandas")
    fitted = pd.Series(np.arange(N) % 2).astype("int64")
    if "date" in dtype or "time" in dtype:
        fitted = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(fitted, unit="D"))
        fitted = fitted - pd.Timestamp("2020-01-01") if "delta" in dtype else fitted
    vae = short().fit(convert(pd.DataFrame({"x": fitted.astype(dtype), "z": np.arange(N) / 7})))
    cells = pd.Series(WIDER[dtype])
    filled = vae.impute(convert(pd.DataFrame({"x": cells, "z": np.arange(len(cells)) / 7})))["x"]
    for cell, back in zip(cells.tolist(), pd.Series(filled.to_numpy()).tolist(), strict=True):
        assert pd.notna(back) if pd.isna(cell) else back == cell


@pytest.mark.parametrize("ordered", [False, True])
def test_levels_come_back_in_the_categories_of_the_table_at_hand(ordered):
    levels = pd.Series(pd.Categorical(["a", "b"] * (N // 2), ["b", "never", "a"], ordered=ordered))
    frame = pd.DataFrame({"c": levels, "z": np.arange(N) / 7})
    vae = short().fit(frame)
    for cells in (
        ["a", "b", None],
        pd.Categorical(["a", "b", None], ["a", "b", "z", "y"], ordered=ordered),
    ):
        table = pd.DataFrame({"c": cells, "z": [1.0, 2.0, 3.0]})
        filled = vae.impute(table)["c"]
        assert filled.tolist()[:2] == ["a", "b"]
        assert filled.dtype == (cells.dtype if isinstance(cells, pd.Categorical) else levels.dtype)
    other = pd.DataFrame({"c": pd.Categorical(["q", None, "a"]), "z": [1.0, 2.0, 3.0]})
    with pytest.warns(
        UserWarning, match="not seen in fit are treated as missing: 'q' in column 'c'"
    ):
        filled = vae.impute(other)["c"]
    assert set(filled) <= {"a", "b"}
    assert filled[2] == "a"


def test_another_value_in_a_constant_column_is_kept_and_costs_what_was_never_seen():
    frame = pd.DataFrame(
        {"k": 7, "t": "same", "w": pd.Timestamp("2020-01-01"), "z": np.arange(N) / 7}
    )
    vae = short().fit(frame)
    scores = vae.score_samples(frame)
    for name, value in (
        ("k", 10**12),
        ("k", 7.5),
        ("t", "other"),
        ("w", pd.Timestamp("1999-01-01")),
    ):
        other = frame.assign(**{name: value})
        np.testing.assert_allclose(vae.score_samples(other), scores - np.log(N + 1))
        np.testing.assert_array_equal(vae.transform(other), vae.transform(frame))
        assert (vae.impute(other.assign(z=np.nan))[name] == value).all()
        assert (vae.posterior_predictive(other)[name] == frame[name]).all()
    assert (vae.sample(5)["k"] == 7).all()
    np.testing.assert_array_equal(vae.score_samples(frame.astype({"k": float})), scores)
