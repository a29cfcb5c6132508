"""What pictures of tables show: the data that was drawn, read off their axes."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import spearmanr
from scipy.stats.contingency import association

from skvae.display import FidelityDisplay, OutlierDisplay
from skvae.display._associations import associations
from skvae.display._tables import kind_of, numbers_of

RNG = np.random.default_rng(0)


pytestmark = pytest.mark.usefixtures("closed")


def table(n=300, rng=RNG):
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "y": x + rng.normal(size=n),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(9 * x), unit="D"),
            "kind": np.where(x > 0, "large", "small"),
            "flag": pd.array(rng.random(n) < 0.3, dtype="boolean"),
            "count": pd.array(rng.poisson(3, n), dtype="Int64"),
        }
    )


REAL, SYNTHETIC = table(), table(200)
REAL.loc[:29, "kind"] = None
REAL.loc[:59, "x"] = np.nan


@pytest.fixture
def display():
    return FidelityDisplay.from_frames(REAL, SYNTHETIC)


def panel(display, name):
    return display.axes_[display.columns.index(name)]


def bars(ax):
    """Widths of horizontal bars by label, real and synthetic."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    return {
        part.get_label(): dict(zip(names, (bar.get_width() for bar in part), strict=True))
        for part in ax.containers
    }


def test_numbers_are_counted_in_common_bins(display):
    real, synthetic = (patch.get_data() for patch in panel(display, "x").patches)
    np.testing.assert_array_equal(real.edges, synthetic.edges)
    for drawn, cells in ((real, REAL["x"].dropna()), (synthetic, SYNTHETIC["x"])):
        counts, _ = np.histogram(np.clip(cells, *drawn.edges[[0, -1]]), drawn.edges)
        np.testing.assert_allclose(drawn.values, counts / len(cells))
    difference = np.abs(real.values - synthetic.values).sum() / 2
    assert panel(display, "x").get_title() == f"x: {difference:.0%} differ"


def test_whole_numbers_and_days_have_bins_of_whole_width(display):
    edges = panel(display, "count").patches[0].get_data().edges
    np.testing.assert_array_equal(edges, np.arange(len(edges)) - 0.5)
    edges = panel(display, "day").patches[0].get_data().edges
    assert set(np.diff(edges)) == {2.0} and 18262 - 30 < edges[0] < 18262


def test_labels_are_counted_among_those_that_are_there(display):
    drawn = bars(panel(display, "kind"))
    for name, frame in (("real", REAL), ("synthetic", SYNTHETIC)):
        assert drawn[name] == pytest.approx(frame["kind"].value_counts(normalize=True).to_dict())
    assert bars(panel(display, "flag"))["real"]["True"] == pytest.approx(REAL["flag"].mean())


def test_rare_labels_are_counted_together():
    cells = np.repeat([f"label {i:02}" for i in range(20)], np.arange(20, 0, -1))
    drawn = bars(FidelityDisplay.from_frames(cells[:, None], cells[:, None]).axes_[0])["real"]
    assert [*drawn] == [*(f"label {i:02}" for i in range(7)), "others"]
    assert drawn["others"] == pytest.approx(np.mean(cells > "label 06"))


def test_associations_are_spearmans_for_numbers_and_cramers_where_there_are_labels(display):
    names = list(REAL.columns)
    real, synthetic, difference = (
        np.asarray(ax.images[0].get_array()) for ax in display.association_axes_
    )
    x, y, kind, flag = (names.index(name) for name in ("x", "y", "kind", "flag"))
    seen = REAL.dropna(subset=["x"])
    assert real[x, y] == pytest.approx(spearmanr(seen["x"], seen["y"])[0])
    assert synthetic[x, y] == pytest.approx(spearmanr(SYNTHETIC["x"], SYNTHETIC["y"])[0])
    counts = pd.crosstab(REAL["kind"], REAL["flag"]).to_numpy()
    assert real[kind, flag] == pytest.approx(association(counts, method="cramer"), abs=0.02)
    deciles = np.quantile(seen["x"], np.linspace(0.1, 0.9, 9))
    both = seen.dropna(subset=["kind"])
    counts = pd.crosstab(both["kind"], np.searchsorted(deciles, both["x"])).to_numpy()
    assert real[x, kind] == pytest.approx(association(counts, method="cramer"), abs=0.02)
    np.testing.assert_allclose(difference, synthetic - real)
    np.testing.assert_array_equal(np.diag(real), 1)


def test_durations_are_told_to_be_in_days():
    spans = pd.DataFrame({"span": pd.to_timedelta(np.arange(40), "D")})
    assert FidelityDisplay.from_frames(spans, spans).ax_.get_xlabel() == "days"


def test_labels_of_few_rows_go_together_as_those_of_many_do():
    def associated(n, strength):
        a = RNG.integers(0, 6, n)
        b = np.where(RNG.random(n) < strength, a, RNG.integers(0, 6, n))
        frame = pd.DataFrame({"a": [*map("x{}".format, a)], "b": [*map("x{}".format, b)]})
        return associations(frame, frame)[0].loc["a", "b"]

    for strength in (0, 0.5):  # Cramér's V without chance is the strength
        few = np.mean([associated(60, strength) for _ in range(50)])
        assert few == pytest.approx(strength, abs=0.1)
        assert associated(6000, strength) == pytest.approx(strength, abs=0.03)


def test_a_column_with_most_cells_at_one_value_has_associations():
    zeros = np.where(np.arange(200) < 190, 0.0, 1.0)
    for cells in (zeros, 1 - zeros):
        frame = pd.DataFrame({"a": cells, "b": np.where(cells > 0, "yes", "no")})
        found = FidelityDisplay.from_frames(frame, frame).associations[0]
        assert found.loc["a", "b"] == pytest.approx(1)


def test_holes_are_shown_for_columns_that_have_some(display):
    drawn = bars(display.holes_ax_)
    assert drawn["real"] == pytest.approx({"x": 0.2, "kind": 0.1})
    assert drawn["synthetic"] == {"x": 0, "kind": 0}
    assert FidelityDisplay.from_frames(SYNTHETIC, SYNTHETIC).holes_ax_ is None


def test_of_many_columns_those_are_shown_that_differ_most():
    real = pd.DataFrame(RNG.normal(size=(200, 60)))
    synthetic = real.copy()
    synthetic[[7, 30]] += 3
    display = FidelityDisplay.from_frames(real, synthetic)
    assert [*display.differences][:2] in ([7, 30], [30, 7]) and len(display.axes_) == 12
    assert {7, 30} <= set(display.columns) <= set(display.associations[0].columns)
    assert display.figure_.get_suptitle() == "12 of 60 columns: those that differ most"
    assert len(display.associations[0]) == 16


def test_frames_of_polars_and_of_pandas_give_the_same_picture(display):
    polars = FidelityDisplay.from_frames(pl.from_pandas(REAL), pl.from_pandas(SYNTHETIC))
    for name, found in display.distributions.items():
        np.testing.assert_array_equal(polars.distributions[name].real, found.real)
        np.testing.assert_array_equal(polars.distributions[name].support, found.support)


def test_only_the_columns_that_are_asked_for_are_compared():
    display = FidelityDisplay.from_frames(REAL, SYNTHETIC, columns=["kind", "x"])
    assert display.columns == ["kind", "x"] and len(display.axes_) == 2


def test_columns_without_any_cell_or_with_one_value_are_drawn():
    frame = pd.DataFrame({"none": [None] * 20, "nan": [np.nan] * 20, "one": [1.5] * 20})
    display = FidelityDisplay.from_frames(frame, frame)
    assert display.differences == {"none": 0, "nan": 0, "one": 0}
    display.figure_.canvas.draw()


def test_tables_that_do_not_compare_are_refused():
    with pytest.raises(ValueError, match=r"The synthetic table lacks the columns \['x'\]; give"):
        FidelityDisplay.from_frames(REAL, SYNTHETIC.drop(columns="x"))
    with pytest.raises(ValueError, match="The real table has no rows"):
        FidelityDisplay.from_frames(REAL[:0], SYNTHETIC)


class Detector:
    """Stands for a detector: nats by cell are its arrays."""

    offset_ = -3.0

    def __init__(self, nats):
        self.nats = nats

    def explain(self, X):
        if isinstance(X, pd.DataFrame):
            return pd.DataFrame([self.nats], X.index, X.columns)
        return (
            pl.DataFrame([self.nats], X.columns, orient="row")
            if hasattr(X, "columns")
            else [self.nats]
        )

    def score_samples(self, X):
        assert len(X) == 1
        return np.array([-8.0])


ROWS = pd.DataFrame(
    {"age": [1.0, 54.125], "job": ["a", "clerk"], "day": pd.to_datetime(["2020-01-01"] * 2)},
    index=["first", "second"],
)


@pytest.mark.parametrize("X", [ROWS, pl.from_pandas(ROWS)], ids=["pandas", "polars"])
def test_the_cells_that_cost_most_are_on_top(X):
    ax = OutlierDisplay.from_estimator(Detector([0.5, 6.0, -0.25]), X, 1).ax_
    drawn = next(iter(bars(ax).values()))
    assert [*drawn] == ["job = clerk", "age = 54.125", "day = 2020-01-01"]
    assert list(drawn.values()) == [6, 0.5, -0.25] and ax.yaxis_inverted()
    assert ax.get_title() == "row 1 is an outlier: decision score -5"


def test_cells_of_an_array_have_the_numbers_of_columns_and_holes_are_left_out():
    display = OutlierDisplay.from_estimator(Detector([np.nan, 2.0]), np.array([[np.nan, 7.0]]), 0)
    assert display.cells == ["1 = 7"]


def test_cells_beyond_ten_are_summed_as_others():
    nats = np.arange(30.0)
    ax = OutlierDisplay([f"c{i} = 0" for i in range(30)], nats, 1.0, 4).plot().ax_
    drawn = next(iter(bars(ax).values()))
    assert [*drawn] == [*(f"c{i} = 0" for i in range(29, 19, -1)), "20 others"]
    assert drawn["20 others"] == nats[:20].sum()
    assert ax.get_title() == "row 4 is no outlier: decision score 1"


def test_bars_are_labelled_to_a_hundredth_of_a_nat():
    ax = OutlierDisplay(list("abcd"), np.array([1234.5, 2.345, 8e-8, -0.001]), -1.0, 0).plot().ax_
    labels = [text.get_text() for text in ax.texts]
    assert labels == ["1,234", "2.3", "0", "0"]


def test_a_row_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="row=2, but X has 2 rows; give a number from 0 on"):
        OutlierDisplay.from_estimator(Detector([1.0]), ROWS, 2)


@pytest.mark.parametrize(
    ("cells", "kind", "first"),
    [
        ([Decimal("1.5"), None], "number", 1.5),
        ([date(1970, 1, 3), None], "time", 2),
        (pd.date_range("1970-01-02", periods=2, tz="Europe/Paris"), "time", 1),
        (pd.to_timedelta([36, None], "h"), "duration", 1.5),
        ([timedelta(days=2), None], "duration", 2),
        ([np.timedelta64(3, "D"), None], "duration", 3),
    ],
)
def test_cells_of_all_kinds_are_numbers_times_and_durations_in_days(cells, kind, first):
    for column in (pd.Series(cells), pd.Series(cells, dtype=object)):
        assert kind_of(column) == kind
        assert numbers_of(column)[0] == first


@pytest.mark.parametrize("cells", [[True, False], ["1", "2"], pd.Categorical([1, 2]), [None, None]])
def test_all_else_is_labels(cells):
    assert kind_of(pd.Series(cells, dtype=getattr(cells, "dtype", object))) == "label"
