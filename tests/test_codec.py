"""What a fitted model keeps of its table."""

import datetime
import io
import json
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skvae import VAEImputer, VAEOutlierDetector, VAETransformer

N = 200
RNG = np.random.default_rng(0)
LIBRARIES = {"pandas", "polars", "pyarrow", "narwhals", "tensorflow", "keras", "datetime"}


def short(**parameters):
    return VAETransformer(max_iter=1, hidden_layer_sizes=4, random_state=0, **parameters)


def secrets(n=N):
    """Columns of every kind whose first row holds what no other does, between what others hold."""
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 1000, n), unit="D")
    frame = pd.DataFrame(
        {
            "float": RNG.normal(0, 1000, n),
            "single": RNG.normal(0, 1000, n).astype(np.float32),
            "whole": RNG.integers(0, 10**9, n),
            "nullable": pd.array(RNG.integers(0, 10**9, n), dtype="Int64"),
            "when": days,
            "zoned": days.tz_localize("Europe/Vienna"),
            "span": pd.to_timedelta(RNG.integers(0, 10**9, n), unit="s"),
        }
    )
    frame.loc[0, ["float", "single"]] = 123.4375, 321.40625
    frame.loc[0, ["whole", "nullable"]] = 123_456_789, 345_678_912
    frame.loc[0, "when"], frame.loc[0, "span"] = (
        pd.Timestamp("2021-02-03 04:05:06"),
        pd.Timedelta(234_567_891, unit="s"),
    )
    frame.loc[0, "zoned"] = pd.Timestamp("2021-03-04 05:06:07", tz="Europe/Vienna")
    text = pd.Series(RNG.choice(["clerk", "smith"], n))
    for name, ordered in (("unordered", False), ("ordered", True)):
        frame[name] = pd.Categorical(text, ["clerk", "unused-secret", "smith"], ordered=ordered)
    return frame.assign(
        likely=RNG.lognormal(0, 1, n), positive=RNG.lognormal(0, 1, n) * (RNG.random(n) < 0.5)
    )


def forms(value):
    """The bytes in which a value may lie in a pickle."""
    if isinstance(value, (pd.Timestamp, pd.Timedelta)):
        since = value - pd.Timestamp(0, tz=value.tz) if isinstance(value, pd.Timestamp) else value
        ticks = [since // pd.Timedelta(1, unit=unit) for unit in ("s", "us")]
        return [tick.to_bytes(8, "little", signed=True) for tick in ticks] + [str(value).encode()]
    if isinstance(value, (int, np.integer)):
        return [
            int(value).to_bytes(8, "little"),
            int(value).to_bytes(4, "little"),
            np.float64(value).tobytes(),
        ]
    return [
        np.float64(value).tobytes(),
        np.float64(value).tobytes()[::-1],
        np.float32(value).tobytes(),
    ]


LIKELIHOODS = {"likely": "lognormal", "positive": "zero_inflated"}


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize(
    "parts",
    [{}, {"likelihood": {"float": "histogram", "single": "student_t", "likely": "laplace"}}],
)
def test_no_row_of_the_table_is_in_the_pickle(holes, parts):
    frame = secrets().drop(columns="positive")
    if holes:
        frame.loc[5:20, ["float", "when"]] = None
    data = pickle.dumps(short(**parts).fit(frame))
    for name in ("float", "single", "whole", "nullable", "when", "zoned", "span"):
        for form in forms(frame[name].iloc[0]):
            assert form not in data, name
    assert b"clerk" in data
    assert b"unused-secret" not in data


def test_no_row_of_the_table_is_in_the_pickle_as_a_cell():
    """Encoded cells are no rows either: what fills holes, and what stands for zeros, is a mean."""
    frame = secrets()[["float", "likely", "positive"]]
    from skvae.likelihoods import ZeroInflated

    vae = short(likelihood={"likely": "lognormal", "positive": ZeroInflated("lognormal")}).fit(
        frame
    )
    numbers = {np.float32(number) for number in vae._model.constants}
    x = vae._codec.encode(vae._rows(frame)).x[:]
    assert not numbers & ({np.float32(cell) for cell in x.ravel()} - {np.float32(0), np.float32(1)})


def stored(state):
    """Every object in a state, however deep."""
    yield state
    if isinstance(state, dict):
        parts = [*state.keys(), *state.values()]
    elif isinstance(state, (list, tuple, set)):
        parts = list(state)
    elif isinstance(state, np.ndarray):
        parts = state.tolist() if state.dtype == object else []
    else:
        parts = (
            list(vars(state).values())
            if hasattr(state, "__dict__") and not isinstance(state, type)
            else []
        )
    for part in parts:
        yield from stored(part)


@pytest.mark.filterwarnings("ignore:Columns that may want another look")  # many zeros
@pytest.mark.parametrize("library", ["pandas", "polars", "array"])
@pytest.mark.parametrize("wrap", [lambda vae: vae, VAEImputer, VAEOutlierDetector])
def test_a_fitted_model_holds_no_object_of_a_library_of_tables(library, wrap):
    frame = secrets()
    X = {
        "pandas": frame,
        "polars": pl.from_pandas(frame),
        "array": frame[["float", "likely"]].to_numpy(),
    }[library]
    model = wrap(short()).fit(X)
    for part in stored(vars(model)):
        assert type(part).__module__.partition(".")[0] not in LIBRARIES, type(part)
    used = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            used.add(module.partition(".")[0])
            return super().find_class(module, name)

    Reader(io.BytesIO(pickle.dumps(model))).load()
    assert used <= {"skvae", "numpy", "builtins", "copyreg"}


@pytest.mark.filterwarnings("ignore:Columns that may want another look")  # many zeros
def test_the_description_of_a_table_is_plain_data():
    for feature in short().fit(secrets())._codec.features:
        json.dumps(
            [feature.dtype.library, feature.dtype.name, feature.dtype.numpy, feature.dtype.details]
        )
        json.dumps(getattr(feature.format, "levels", ()))


@pytest.mark.parametrize("width", [3, 300])
def test_a_pickle_takes_little_more_than_weights_and_what_was_learned_of_columns(width):
    vae = short().fit(RNG.normal(size=(50, width)))
    arrays = vae._model.weights.nbytes + vae._model.constants.nbytes
    parts = arrays + len(pickle.dumps(vae._codec))
    assert len(pickle.dumps(vae)) <= 1.2 * parts + 10_000


def test_categories_that_no_row_uses_come_back_from_a_model_but_not_from_its_pickle():
    frame = secrets()[["unordered", "ordered", "float"]]
    vae = short().fit(frame)
    assert dict(vae.sample(3).dtypes) == dict(frame.dtypes)
    again = pickle.loads(pickle.dumps(vae))
    assert again.sample(3)["ordered"].dtype == pd.CategoricalDtype(["clerk", "smith"], ordered=True)
    pd.testing.assert_frame_equal(again.impute(frame), frame)  # as the table at hand has them
    np.testing.assert_array_equal(again.transform(frame), vae.transform(frame))


def test_values_of_few_rows_are_kept_only_if_they_may():
    levels = pd.Series(np.repeat(["often", "seldom", "once"], [150, 6, 1]))
    frame = pd.DataFrame({"level": levels, "whole": [10**6, *RNG.integers(0, 500, 155), -(10**6)]})
    frame["float"] = [1e6, *RNG.normal(size=155).round(3), -1e6]
    frame["when"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        [9_999, *RNG.integers(0, 99, 155), -9_999], unit="D"
    )
    with pytest.warns(UserWarning, match="100 deviations or more from all others.*'whole'"):
        vae = short(min_count=5, likelihood={"float": "histogram"}).fit(frame)
    drawn = vae.sample(500, random_state=0)
    assert set(drawn["level"]) <= {"often", "seldom"}
    for name in ("whole", "float", "when"):
        ordered = frame[name].sort_values().to_numpy()
        assert drawn[name].between(ordered[4], ordered[-5]).all()
    data = pickle.dumps(vae)
    assert b"once" not in data
    for value in (10**6, frame["when"].max(), 1e6):
        assert not any(form in data for form in forms(value))
    assert np.isfinite(vae.score(frame))
    with pytest.warns(
        UserWarning, match="not seen in fit are treated as missing: 'once' in column 'level'"
    ):
        assert set(vae.impute(frame)["level"]) <= {"often", "seldom"}


def test_bins_hold_as_many_rows_as_they_have_to():
    x = RNG.normal(size=300)
    grid = short(min_count=20, likelihood="histogram").fit(x[:, None])._codec.features[0].placement
    inside = np.histogram(x, grid.edges)[0]
    assert inside.min() >= 20
    assert grid.n_bins <= 300 // 20


def test_times_are_kept_to_the_nanosecond_where_they_differ_by_less_than_a_microsecond():
    start = pd.Timestamp("2020-01-01 12:00:00.000000123").as_unit("ns")
    frame = pd.DataFrame(
        {"t": start + pd.to_timedelta(RNG.integers(0, 700, N), unit="ns"), "z": RNG.normal(size=N)}
    )
    vae = short().fit(frame)
    drawn = vae.sample(300, random_state=0)["t"]
    assert drawn.nunique() > 50
    assert drawn.between(frame["t"].min(), frame["t"].max()).all()
    assert vae._codec.features[0].varies
    pd.testing.assert_frame_equal(vae.impute(frame), frame)


@pytest.mark.parametrize(
    "sentinel",
    [
        pd.Timestamp.max,
        pd.Timestamp.min.ceil("us"),
        pd.Timestamp("9999-12-31"),
        datetime.datetime(1, 1, 1),
    ],
)
def test_sentinels_at_the_ends_of_time_come_back_exactly(sentinel):
    times = pd.Series([sentinel] * 20 + [pd.Timestamp("2020-01-01")] * 80)
    drawn = (
        short()
        .fit(pd.DataFrame({"t": times, "z": RNG.normal(size=100)}))
        .sample(300, random_state=0)["t"]
    )
    assert set(drawn) == set(times)


@pytest.mark.parametrize("tick", [-(2**63) + 1, 2**63 - 1, -1, 0])
@pytest.mark.parametrize("dtype", ["datetime64[ns]", "timedelta64[ns]", "datetime64[us]"])
def test_constants_at_the_ends_of_time_come_back_exactly(dtype, tick):
    ticks = np.full(N, tick if "[ns]" in dtype else tick // 1000)
    frame = pd.DataFrame({"t": ticks.view(dtype)})
    assert (short().fit(frame).sample(5)["t"] == frame["t"][0]).all()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_come_back_as_round_as_they_were_within_their_range(unit):
    spans = pd.Series(pd.to_timedelta(RNG.integers(-500, 5000, N), unit="min")).astype(
        f"timedelta64[{unit}]"
    )
    drawn = (
        short()
        .fit(pd.DataFrame({"d": spans, "z": RNG.normal(size=N)}))
        .sample(300, random_state=0)["d"]
    )
    assert drawn.dtype == spans.dtype
    assert (drawn == drawn.dt.floor("min")).all()
    assert drawn.between(spans.min(), spans.max()).all()


@pytest.mark.parametrize("places", [0, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64"])
def test_floats_of_few_decimals_come_back_with_as_many_under_a_histogram(places, dtype):
    prices = pd.Series(RNG.lognormal(3, 1, 300).round(places)).astype(dtype)
    frame = pd.DataFrame({"price": prices, "z": RNG.normal(size=300)})
    vae = short(likelihood={"price": "histogram"}).fit(frame)
    holed = frame.head(20).assign(price=np.nan).astype(frame.dtypes)
    for back in (
        vae.sample(50, random_state=0),
        vae.inverse_transform(RNG.normal(size=(50, 2))),
        vae.impute(holed),
        vae.impute(holed, draw=True, random_state=0),
    ):
        cells = back["price"].astype("float64")
        assert back["price"].dtype == dtype
        assert (cells.round(places).astype(dtype) == back["price"]).all()
    array = (
        short(likelihood="histogram")
        .fit(prices.to_numpy(float)[:, None])
        .inverse_transform(RNG.normal(size=(9, 2)))
    )
    assert dtype != "float64" or (array == array.round(places)).all()


FAR = [[1e39, 0.0], [3.4e38, -3.4e38], [1e300, 1.0], [1e30, -1e30], [1e5, 1e5], [-80.0, 80.0]]


@pytest.mark.parametrize(
    "likelihood", ["auto", "lognormal", "poisson", "histogram", "student_t", "beta"]
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8"])
def test_finite_latent_points_give_finite_cells_or_a_sentence(likelihood, dtype):
    X = RNG.integers(1, 100, (50, 2)).astype(dtype)
    if likelihood == "beta":
        X = (X.astype(float) / 101).astype("float32")
    vae = short(likelihood=likelihood).fit(pd.DataFrame(X))
    for points in FAR:
        try:
            back = vae.inverse_transform([points])
        except ValueError as error:
            assert "too far out for the decoder" in str(error)  # noqa: PT017
        else:
            assert np.isfinite(back.to_numpy()).all()


@pytest.mark.parametrize("n", [1, 9, 10, 30])
@pytest.mark.parametrize("likelihood", ["auto", "histogram", "categorical", "gaussian"])
def test_tables_of_few_rows_keep_no_value_of_a_single_one(n, likelihood):
    start = pd.Timestamp("2020-01-01").as_unit("ns")
    frame = pd.DataFrame({"k": 1000 * np.arange(n) + 7, "x": np.sort(RNG.normal(size=n))})
    if likelihood == "auto":
        frame["t"] = start + pd.to_timedelta(np.arange(n), unit="D")
    vae = short(min_count=5, likelihood=likelihood).fit(frame)
    drawn, seen = vae.sample(50, random_state=0), frame.iloc[4:-4]
    assert np.isfinite(vae.score(frame))
    for name in ("k", "x") if likelihood == "histogram" else ("k",):
        assert n < 10 or drawn[name].dropna().between(seen[name].min(), seen[name].max()).all()
    if likelihood == "auto":
        assert (drawn["t"].dropna() == drawn["t"].dropna().dt.normalize()).all()
    data = pickle.dumps(vae)
    assert n == 1 or not any(form in data for form in forms(frame["x"].iloc[0]))


def test_bins_and_atoms_have_as_many_rows_behind_them_as_they_have_to():
    between = np.concatenate([np.zeros(500), np.ones(500), RNG.random(60)])
    for x in (
        np.repeat(np.arange(20.0), 3),
        RNG.normal(size=3000),
        np.round(RNG.normal(size=500), 1),
        between,
    ):
        vae = short(min_count=25, likelihood="histogram").fit(np.column_stack([x, x]))
        grid = vae._codec.features[0].placement
        counts = [(x == atom).sum() for atom in grid.atoms]
        edges = [-np.inf, *grid.edges[1:-1], np.inf]  # as many rows lie at or beyond the ends
        counts += np.histogram(x[~np.isin(x, grid.atoms)], edges)[0].tolist() if grid.n_bins else []
        assert min(counts) >= 25


@pytest.mark.parametrize("n_rare", [1, 3, 15, 49, 60])
def test_rare_numbers_between_frequent_ones_are_not_kept(n_rare):
    rare = np.sort(RNG.random(n_rare))
    x = np.concatenate([np.zeros(100), rare, np.full(100, 2.0)])
    grid = short(min_count=25, likelihood="histogram").fit(x[:, None])._codec.features[0].placement
    kept = [*rare[:24], *rare[-24:]]
    assert not np.isin([*grid.edges, *grid.atoms], kept).any()
    assert grid.atoms.tolist() == [0, 2]


def test_sums_of_the_largest_floats_are_no_matter():
    X = np.array([[1.7e308, 0.0], [-0.2, 1.0]] * 10)
    assert np.isfinite(short().fit(X).sample(300, random_state=0)).all()


def test_constants_come_back_to_the_last_digit():
    ns = pd.Timestamp("2020-01-01 00:00:00.000000123").as_unit("ns")
    repeated = pd.Timestamp("2021-10-31 00:30", tz="UTC").tz_convert(
        "Europe/Vienna"
    )  # the first 02:30 of that night
    frame = pd.DataFrame(
        {"ns": [ns] * 8, "dst": [repeated] * 8, "k": [2**53 - 1] * 8, "z": RNG.normal(size=8)}
    )
    for min_count in (1, 5):
        drawn = short(min_count=min_count).fit(frame).sample(3)
        for name in ("ns", "dst", "k"):
            assert (drawn[name] == frame[name][0]).all()


def test_an_empty_numeric_column_keeps_later_cells_and_stays_empty_elsewhere():
    for dtype, cell in (
        ("float64", 1.5),
        ("datetime64[us]", pd.Timestamp("2020-01-01")),
        ("Int64", 3),
    ):
        empty = pd.DataFrame({"x": pd.Series([None] * 30, dtype=dtype), "z": RNG.normal(size=30)})
        later = pd.DataFrame({"x": pd.Series([cell, None, None], dtype=dtype), "z": [0.0, 1, 2]})
        pd.testing.assert_frame_equal(short().fit(empty).impute(later), later)


def test_decimals_that_a_dtype_has_no_room_for_are_refused_or_widened():
    frame = pl.DataFrame(
        {"x": pl.Series([Decimal("1.25"), Decimal("2.50")] * 20, dtype=pl.Decimal(6, 2))}
    )
    vae = short().fit(frame)
    with pytest.raises(
        ValueError, match="given has 123456.0 in column 'x', but its dtype Decimal cannot hold that"
    ):
        vae.sample(1, given={"x": 123456.0})
    later = pl.DataFrame({"x": pl.Series([Decimal("123456.00"), None], dtype=pl.Decimal(10, 2))})
    assert vae.impute(later)["x"][0] == Decimal("123456.00")


def test_labels_of_other_classes_come_back_as_the_text_that_they_are():
    from enum import Enum

    class Colour(str, Enum):  # noqa: UP042
        RED = "red"
        BLUE = "blue"

    frame = pd.DataFrame(
        {"c": pd.Series([Colour.RED, Colour.BLUE] * 20, dtype=object), "z": RNG.normal(size=40)}
    )
    assert set(short().fit(frame).sample(50)["c"]) == {"red", "blue"}
    assert short().fit(frame).impute(frame)["c"].tolist() == ["red", "blue"] * 20


def test_cells_that_no_common_dtype_holds_come_back_as_objects():
    X = np.column_stack([RNG.integers(0, 9, 40), RNG.integers(0, 9, 40)]).astype(np.uint64)
    filled = short().fit(X).impute(np.array([[2**60 + 1, 5], [3, -4]]))
    assert filled.tolist() == [[2**60 + 1, 5], [3, -4]]
    empty = short().fit(np.ma.masked_array(X, np.ones(X.shape))[:, :1])
    rows = np.ma.masked_array(np.array([[2**63 - 1], [0]]), [[False], [True]])
    assert empty.impute(rows).tolist() == [[2**63 - 1], [None]]
    frame = pd.DataFrame({"x": RNG.normal(size=40), "t": ["a", "b"] * 20})
    vae, rows = (
        short().fit(frame),
        pd.DataFrame({"x": [2**53 + 1, None], "t": ["a", "b"]}, dtype=object),
    )
    for give in (lambda: vae.impute(rows), lambda: vae.sample(1, given=rows.to_numpy())):
        with pytest.raises(ValueError, match="9007199254740993"):
            give()


def test_a_column_of_too_few_cells_is_none_to_the_model():
    few = pd.DataFrame(
        {
            "z": RNG.normal(size=N),
            "x": [4242424.25, *[None] * (N - 1)],
            "y": [1.5, 7.5, *[None] * (N - 2)],
        }
    )
    vae = short(min_count=5).fit(few)
    assert vae.sample(3)[["x", "y"]].isna().all(axis=None)
    data = pickle.dumps(vae)
    assert not any(form in data for form in forms(4242424.25) + forms(4.5))
    with pytest.raises(ValueError, match="given has 1.0 in column 'x', but fit saw no value there"):
        vae.sample(1, given={"x": 1.0})
    later = few.assign(x=1.0, y=2.0)
    np.testing.assert_array_equal(vae.transform(later), vae.transform(few))
    np.testing.assert_array_equal(vae.score_samples(later), vae.score_samples(few))
    pd.testing.assert_frame_equal(vae.impute(later), later)


def test_one_row_sets_no_resolution_and_rounding_makes_no_negative_zeros():
    days = pd.Series(
        [
            pd.Timestamp("2020-01-01") + pd.Timedelta(int(day), unit="D")
            for day in RNG.integers(0, 99, N)
        ]
    )
    days[0] = pd.Timestamp("1901-02-03 04:05:06")
    frame = pd.DataFrame({"t": days, "z": RNG.normal(size=N)})
    restored = short(min_count=5).fit(frame).inverse_transform(RNG.normal(size=(20, 2)))["t"]
    assert (restored == restored.dt.normalize()).all()
    x = np.where(RNG.random(N) < 0.5, 0.0, RNG.normal(size=N).round(2))
    drawn = short(likelihood="histogram").fit(x[:, None]).sample(2000, random_state=0)
    assert not np.signbit(drawn[drawn == 0]).any()


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_few_values_whose_sum_overflows_have_a_mean():
    X = np.array([-0.2, -0.2, *[1.7e308] * 3])[:, None]
    assert np.isfinite(short(min_count=5).fit(X).sample(20)).all()
    drawn = short(min_count=5, likelihood="histogram").fit(X).sample(20)
    np.testing.assert_allclose(drawn / 1.7e308, 0.6)


def test_a_whole_number_that_no_float_holds_is_not_rounded_among_decimals():
    dtype = pl.Decimal(6, 2)
    halves = pl.DataFrame({"x": pl.Series([Decimal("1.25"), Decimal("2.50")] * 20, dtype=dtype)})
    later = pl.DataFrame({"x": pl.Series([2**64 - 1, None], dtype=pl.UInt64)})
    with pytest.raises(ValueError, match="Column 'x' has 18446744073709551615, which cannot be k"):
        short().fit(halves).impute(later)
