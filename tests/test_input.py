"""What may be given for X, and what is told instead."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skvae import VAEImputer, VAEOutlierDetector, VAETransformer
from skvae.likelihoods._auto import chooser

N = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 2))
FRAME = pd.DataFrame(X, columns=["a", "b"])
MIXED = FRAME.assign(text=RNG.choice(["u", "v"], N), when=pd.Timestamp("2020-01-01"))
MIXED["when"] += pd.to_timedelta(RNG.integers(0, 99, N), unit="D")


def short(**parameters):
    return VAETransformer(max_iter=1, hidden_layer_sizes=4, random_state=0, **parameters)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            pl.DataFrame(MIXED.to_dict("list")).lazy(),
            r"X is a LazyFrame of polars, but .*call .collect\(\) on it first",
        ),
        ("table.parquet", r"X is a path, but .*pd.read_csv\(path\) or pd.read_parquet\(path\)"),
        (Path("table.csv"), "X is a path, but"),
        (None, "X is None, but a table .* is expected; give a DataFrame or an array"),
        (
            pd.Series([1.0, 2.0]),
            r"X is a Series, but .*; a column is one as df\[\['name'\]\], a row",
        ),
        (pl.Series([1.0, 2.0]), "X is a Series, but"),
        ((row for row in X), r"X is a generator, but .*list\(X\)"),
        ({"a": [1, 2]}, r"X is a dict, but .*pd.DataFrame\(X\)"),
        ({1, 2}, r"X is a set, but .*list\(X\)"),
        (7, "Expected 2D array, got scalar"),
        ([[1.0], [1.0, 2.0]], "X has rows of different lengths, or cells that are lists"),
        (MIXED[["when"]].to_numpy(), "X is an array of dtype datetime64.*give a DataFrame"),
        (np.array([[b"a"]] * 5), "X is an array that holds text"),
        (np.array([["a"]] * 5), "X is an array that holds text"),
    ],
)
@pytest.mark.parametrize(
    "estimator", [short(), VAEImputer(short()), VAEOutlierDetector(short())], ids=str
)
def test_what_is_no_table_is_told_with_what_to_do_first(table, message, estimator):
    with pytest.raises(ValueError, match=message):
        estimator.fit(table)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64, bool])
def test_masked_cells_are_holes(dtype):
    cells, mask = RNG.integers(0, 2, (N, 3)).astype(dtype), RNG.random((N, 3)) < 0.2
    masked = np.ma.masked_array(cells, mask)
    vae = short(likelihood="bernoulli").fit(masked)
    holed = np.where(mask, np.nan, cells.astype(float))
    np.testing.assert_array_equal(vae.transform(masked), vae.transform(holed))
    np.testing.assert_array_equal(vae.score_samples(masked), vae.score_samples(holed))
    filled = vae.impute(masked)
    assert filled.dtype == dtype
    assert not np.ma.isMaskedArray(filled)
    np.testing.assert_array_equal(filled[~mask], cells[~mask])
    np.testing.assert_array_equal(masked.mask, mask)
    assert (vae.sample(3, given=masked[:2])[:2][~mask[:2]] == cells[:2][~mask[:2]]).all()


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize("fitted", ["array", "frame"])
@pytest.mark.parametrize("given", ["array", "list", "frame", "polars", "objects", "tuples"])
def test_arrays_frames_and_lists_may_follow_each_other(fitted, given):
    holed = X[:6].copy()
    holed[::2, 0] = np.nan
    objects = np.where(np.isnan(holed), None, holed.astype(object))
    tables = {
        "array": holed,
        "list": holed.tolist(),
        "frame": pd.DataFrame(holed, columns=["a", "b"]),
    }
    tables |= {
        "polars": pl.DataFrame(objects.tolist(), ["a", "b"], orient="row"),
        "objects": objects,
    }
    tables["tuples"] = list(map(tuple, objects))
    vae = short().fit(X if fitted == "array" else FRAME)
    filled = vae.impute(tables[given])
    assert type(filled) is (np.ndarray if fitted == "array" else pd.DataFrame)
    np.testing.assert_array_equal(np.asarray(filled)[~np.isnan(holed)], holed[~np.isnan(holed)])
    np.testing.assert_array_equal(vae.score_samples(tables[given]), vae.score_samples(holed))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_rows_of_objects_are_read_as_the_columns_of_the_frame_of_fit():
    vae = short().fit(MIXED)
    for rows in (MIXED.head(5).to_numpy(), MIXED.head(5).to_numpy().tolist()):
        np.testing.assert_array_equal(vae.transform(rows), vae.transform(MIXED.head(5)))
    with pytest.raises(ValueError, match="Column 'a' held numbers in fit, but now has '[uv]'"):
        vae.transform(MIXED.head(5)[["text", "a", "b", "when"]].to_numpy())
    with pytest.raises(ValueError, match="X has 2 features, but VAETransformer is expecting 4"):
        vae.transform(MIXED.head(5).to_numpy()[:, 1:3])


NAMES = {
    "numbers": [2020, 2021],
    "positions": [0, 1],
    "datetimes": pd.to_datetime(["2020-01-01", "2021-01-01"]),
    "levels": pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["letter", None]),
    "text": ["b", "a"],
    "tuples": pd.Index([("a", 1), ("b", 2)], tupleize_cols=False),
    "days": pd.Index([pd.Timestamp("2020-01-01").date(), pd.Timestamp("2021-01-01").date()]),
}


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_known_by_their_names_whatever_these_are(name):
    frame = pd.DataFrame(X, columns=NAMES[name])
    vae = short().fit(frame)
    for table in (vae.sample(2), vae.impute(frame), vae.sample(2, given=frame.iloc[:1, :1])):
        assert table.columns.equals(frame.columns)
        assert table.columns.names == frame.columns.names
    given = vae.sample(3, given={frame.columns[1]: 0.5})
    assert (given.iloc[:, 1] == 0.5).all()
    swapped = frame.iloc[:, ::-1]
    other = frame.set_axis(["y", "z"] if name == "text" else [8, 9], axis=1)
    for method in (vae.transform, vae.impute, vae.score_samples, vae.posterior_predictive):
        for table in (swapped, other):
            with pytest.raises(
                ValueError, match="The feature names should match those that were passed during fit"
            ):
                method(table)


def test_names_that_cannot_be_kept_are_told():
    frame = pd.DataFrame(X, columns=[1.0, np.nan])
    with pytest.raises(
        ValueError, match="The columns of X are named by a .*name them by text or numbers"
    ):
        short().fit(frame)


def test_numbered_columns_of_a_frame_are_those_of_the_array_of_fit():
    vae = short().fit(X)
    np.testing.assert_array_equal(vae.transform(pd.DataFrame(X)), vae.transform(X))
    with pytest.raises(ValueError, match="X has the columns 1, 0, but fit saw 0, 1"):
        vae.impute(pd.DataFrame(X)[[1, 0]])


def test_text_in_place_of_datetimes_is_refused_unread():
    text = "2020-01-01 " * 100_000
    with pytest.raises(
        ValueError, match="Column 'when' held datetimes without a zone in fit, but now has '2020"
    ) as told:
        short().fit(MIXED).transform(MIXED.head(2).assign(when=text))
    assert len(str(told.value)) < 300


def test_wide_frames_are_read_in_time_that_grows_with_their_width():
    from time import process_time

    from skvae.table import Codec, Frame, checked

    def seconds(width):
        frame = pd.concat(
            [
                pd.DataFrame(RNG.normal(size=(50, width))),
                pd.DataFrame(RNG.integers(0, 5, (50, width))),
            ],
            axis=1,
        )
        frame.columns = range(2 * width)
        start, vae = process_time(), short()
        rows = checked(vae, frame, reset=True)
        Codec.learn(rows, Frame.of(frame, rows.names), chooser(vae.likelihood)).encode(rows)
        return process_time() - start

    seconds(10)
    few, many = (min(seconds(width) for _ in range(3)) for width in (100, 1000))
    assert many < 25 * few  # ten times the columns; by their square it would be a hundred times
