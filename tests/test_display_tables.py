"""What pictures of tables show: the data that was drawn, read off their axes."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import spearmanr
from scipy.stats.contingency import association
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skvae import VAETransformer
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
    assert [*drawn] == [*(f"label {i:02}" for i in range(7)), "13 others"]
    assert drawn["13 others"] == pytest.approx(np.mean(cells > "label 06"))


def test_a_label_called_others_is_not_the_rarest_together():
    cells = np.repeat([f"label {i:02}" for i in range(19)] + ["others"], np.arange(20, 0, -1))
    real, synthetic = cells[:, None], np.where(cells == "others", "label 18", cells)[:, None]
    drawn = bars(FidelityDisplay.from_frames(real, synthetic).axes_[0])["real"]
    assert "others" not in drawn and drawn["13 others"] == pytest.approx(
        np.mean(cells > "label 06")
    )
    drawn = bars(FidelityDisplay.from_frames(cells[::-1][:9, None], real).axes_[0])["real"]
    assert drawn["others"] == pytest.approx(1 / 9)


def test_labels_count_alike_in_tables_of_different_height():
    levels = [f"label {i:02}" for i in range(20)]
    real, synthetic = pd.DataFrame({"x": levels[:7] * 2}), pd.DataFrame({"x": levels[7:] * 1000})
    drawn = bars(FidelityDisplay.from_frames(real, synthetic).axes_[0])["real"]
    assert [*drawn] == [*levels[:7], "13 others"]


@pytest.mark.parametrize("synthetic", [[1, 0], [1.0, 0.0], [True, False], pd.Categorical([1, 0])])
def test_one_and_true_are_one_label_with_the_name_of_the_real_one(synthetic):
    frame = pd.DataFrame({"flag": pd.Series(synthetic)})
    for real in ([True, False], pd.Categorical([1, 0]), pd.Categorical([1.0, 0.0])):
        display = FidelityDisplay.from_frames(pd.DataFrame({"flag": pd.Series(real)}), frame)
        assert display.differences == {"flag": 0}
    display = FidelityDisplay.from_frames(pd.DataFrame({"flag": [True, False]}), frame)
    assert bars(display.axes_[0])["synthetic"] == {"True": 0.5, "False": 0.5}


def test_truth_values_are_not_the_text_that_names_them():
    real = pd.DataFrame({"flag": [True, False]})
    assert FidelityDisplay.from_frames(real, real.astype(str)).differences == {"flag": 1}


@pytest.mark.parametrize("constant", [5, 1.5, 1e-3, -2e6])
@pytest.mark.parametrize("step", [1, 1e-4, 1e6])
def test_a_constant_differs_from_what_lies_elsewhere(constant, step):
    real = pd.DataFrame({"x": np.repeat(constant, 400)})
    for shift in (step, -step):
        synthetic = pd.DataFrame({"x": np.repeat([constant, constant + shift], [100, 300])})
        display = FidelityDisplay.from_frames(real, synthetic)
        assert display.differences == {"x": 0.75}
        drawn = display.axes_[0].patches[1].get_data()
        assert drawn.values.tolist() == ([0.25, 0.75] if shift > 0 else [0.75, 0.25])
    assert FidelityDisplay.from_frames(real, real).differences == {"x": 0}


@pytest.mark.parametrize(
    ("odd", "apart", "alike"), [(1.5, 7, 1e-4), (1.5, 0.01, -1e-3), (900, 7, 0.4), (5, 1, 0.0)]
)
def test_what_is_nearly_a_constant_differs_from_what_is_apart_by_its_own_scale(odd, apart, alike):
    real = pd.DataFrame({"x": [odd] + [0.0] * 399})
    for cells, difference in ((apart, 1), (-apart, 1), (alike, 1 / 400), (odd, 1 - 1 / 400)):
        synthetic = pd.DataFrame({"x": np.repeat(float(cells), 50)})
        found = FidelityDisplay.from_frames(real, synthetic).differences["x"]
        assert found == pytest.approx(difference, abs=1 / 400)


def test_cells_beyond_nearly_all_real_ones_have_a_bin_of_their_own_on_each_side():
    real = pd.DataFrame({"count": [0, 1] * 50, "size": [0.5, 1.5] * 50})
    synthetic = pd.DataFrame({"count": [0, 7, 1, -3] * 25, "size": [0.5, 9.5, 1.5, -7.5] * 25})
    display = FidelityDisplay.from_frames(real, synthetic)
    assert display.differences == {"count": 0.5, "size": 0.5}
    edges, values = display.distributions["count"].support, display.distributions["count"].synthetic
    np.testing.assert_array_equal(edges, [-1.5, -0.5, 0.5, 1.5, 2.5])
    np.testing.assert_array_equal(values, [0.25] * 4)


def test_a_column_without_cells_in_one_table_is_told_and_comes_first():
    real = pd.DataFrame({"x": [1.5, 2.5, 3.5], "kind": ["a", "b", "b"], "y": [1.0, 2.0, 3.0]})
    empty = real.assign(x=np.nan, kind=None, y=[1.0, 2.0, 2.0])
    display = FidelityDisplay.from_frames(real, empty)
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["x: no synthetic cells", "kind: no synthetic cells", "y: 33% differ"]
    assert display.differences == {"x": 1, "kind": 1, "y": pytest.approx(1 / 3)}
    titles = [ax.get_title() for ax in FidelityDisplay.from_frames(empty, real).axes_]
    assert titles[:2] == ["x: no real cells", "kind: no real cells"]


def test_the_legend_covers_no_panel(display):
    display.figure_.canvas.draw()
    legend = display.axes_[0].get_legend().get_window_extent()
    assert legend_names(display) == ["real", "synthetic"]
    assert not any(legend.overlaps(ax.get_window_extent()) for ax in display.axes_)
    assert not legend.overlaps(display.axes_[0].title.get_window_extent())


def legend_names(display):
    return [text.get_text() for text in display.axes_[0].get_legend().get_texts()]


def test_times_of_two_zones_are_compared_by_their_instant():
    hours = pd.date_range("2020-01-01", periods=48, freq="h", tz="UTC")
    real = pd.DataFrame({"time": hours.tz_convert("Europe/Paris")})
    synthetic = pd.DataFrame({"time": hours.tz_convert("America/New_York")})
    mixed = pd.DataFrame(
        {"time": pd.Series([*real["time"][:24], *synthetic["time"][24:]], dtype=object)}
    )
    for other in (synthetic, mixed):
        assert FidelityDisplay.from_frames(real, other).differences == {"time": 0}


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
    with pytest.raises(ValueError, match="The real table has 0 rows and 6 columns, but there is"):
        FidelityDisplay.from_frames(REAL[:0], SYNTHETIC)
    with pytest.raises(ValueError, match="The real table has 300 rows and 0 columns, but there is"):
        FidelityDisplay.from_frames(REAL[[]], SYNTHETIC)
    twice = pd.concat([SYNTHETIC, SYNTHETIC[["x"]]], axis=1)
    with pytest.raises(ValueError, match="The synthetic table has two columns called 'x'; rename"):
        FidelityDisplay.from_frames(REAL, twice)
    with pytest.raises(ValueError, match="The real table has two columns called 'x'; rename"):
        FidelityDisplay.from_frames(twice, SYNTHETIC)


@pytest.mark.parametrize("columns", [[], "kind", ["x", "x"]])
def test_what_is_no_list_of_different_columns_is_refused(columns):
    with pytest.raises(ValueError, match=r"columns=.*, but a list of columns is expected, one at"):
        FidelityDisplay.from_frames(REAL, SYNTHETIC, columns=columns)


@pytest.mark.parametrize(("name", "kind"), [("x", "number"), ("day", "time")])
@pytest.mark.parametrize("other", ["kind", "x", "day"])
def test_numbers_and_times_are_not_compared_with_other_cells(name, kind, other):
    if name == other:
        other = "kind"
    synthetic = SYNTHETIC.assign(**{name: SYNTHETIC[other]})
    with pytest.raises(ValueError, match=f"Column '{name}' holds {kind}s in the real table, but"):
        FidelityDisplay.from_frames(REAL, synthetic)


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


def test_a_row_goes_through_the_steps_before_a_detector_and_is_shown_as_the_user_gave_it():
    rows = pd.DataFrame({"age": [20.0, 40.0], "size": [1.0, 5.0]})
    scaler = StandardScaler().fit(rows)
    seen = []
    detector = Detector([2.0, 1.0])
    detector.explain = lambda X: seen.append(X) or np.array([[2.0, 1.0]])
    for table in (rows, rows.to_numpy()):
        display = OutlierDisplay.from_estimator(pipeline_of(scaler.fit(table), detector), table, 1)
        np.testing.assert_allclose(seen.pop(), [[1, 1]])
        assert display.cells == [
            f"{name} = {value}"
            for name, value in zip(list(pd.DataFrame(table)), (40, 5), strict=True)
        ]


def test_columns_that_steps_make_are_shown_as_the_detector_sees_them():
    rows = pd.DataFrame({"age": [20.0, 40.0], "size": [1.0, 5.0]})
    for step, names in (
        (PCA(2), ["pca0", "pca1"]),
        (FunctionTransformer(np.negative), ["age", "size"]),
    ):
        step = step.fit(rows)
        display = OutlierDisplay.from_estimator(pipeline_of(step, Detector([2.0, 1.0])), rows, 1)
        values = np.asarray(step.transform(rows))[1]
        assert display.cells == [
            f"{name} = {value:.5g}" for name, value in zip(names, values, strict=True)
        ]


def pipeline_of(step, detector):
    """Of a step and a detector that are fitted."""
    return Pipeline([("step", step), ("detector", detector)])


def test_cells_that_steps_fill_are_left_out():
    rows = pd.DataFrame({"age": [20.0, np.nan], "size": [1.0, 5.0]})
    step = SimpleImputer().fit(rows)
    display = OutlierDisplay.from_estimator(pipeline_of(step, Detector([9.0, 1.0])), rows, 1)
    assert display.cells == ["size = 5"]


def test_what_explains_no_rows_is_refused():
    for estimator in (VAETransformer(3), pipeline_of(StandardScaler(), VAETransformer(3))):
        with pytest.raises(
            TypeError, match=r"VAETransformer\(latent_dim=3\) does not explain .* give a fitted"
        ):
            OutlierDisplay.from_estimator(estimator, ROWS, 0)


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
        (pd.date_range("1970-01-02 01:00", periods=2, tz="Europe/Paris"), "time", 1),
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
