import pickle
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import skvae
from skvae._compare_figures import utility
from skvae._compare_tables import case_of

pytest.importorskip("sdmetrics")
RNG = np.random.default_rng(0)


def people(n, seed=0):
    """A mixed table with holes, in which columns go together."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, 6, n)
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), "D")
    age = rng.normal(40, 10, n).round()
    frame = pd.DataFrame(
        {
            "city": np.array([*"uvwxyz"])[city],
            "country": np.array(["a", "b", "c"])[city % 3],
            "age": age,
            "income": np.exp(age / 20 + rng.normal(0, 0.3, n)),
            "start": start,
            "end": start + pd.to_timedelta(rng.integers(0, 50, n), "D"),
            "married": rng.random(n) < 0.1 + 0.8 * (age > 40),
        }
    )
    frame.loc[rng.random(n) < 0.2, ["age", "income"]] = np.nan
    return frame


def shuffled(frame, seed=1):
    """The same columns, each in an order of its own."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: frame[name].array[rng.permutation(len(frame))] for name in frame})


REAL, SYNTHETIC, TEST = people(600), people(500, 1), people(400, 2)


@pytest.fixture(scope="module")
def alike():
    return skvae.compare(REAL, SYNTHETIC, test=TEST, target="married")


@pytest.fixture(scope="module")
def apart():
    return skvae.compare(REAL, shuffled(REAL), test=TEST, target="married")


@pytest.fixture(scope="module")
def copied():
    return skvae.compare(REAL, REAL, test=TEST)


def utility_of(real, synthetic, test, target):
    given = {"real": real, "synthetic": synthetic, "test": test}
    case = case_of({name: rows for name, rows in given.items() if rows is not None})
    return utility(case, target)


def figure(comparison, name, which="synthetic"):
    return comparison.summary().loc[name, which]


def test_shapes_and_pairs_are_those_of_sdmetrics(alike):
    from sdmetrics.reports import QualityReport

    kinds = dict.fromkeys(REAL, "categorical") | dict.fromkeys(["age", "income"], "numerical")
    kinds |= dict.fromkeys(["start", "end"], "datetime") | {"married": "boolean"}
    metadata = {"tables": {"t": {"columns": {k: {"sdtype": v} for k, v in kinds.items()}}}}
    for which, rows in (("synthetic", SYNTHETIC), ("floor", TEST)):
        report = QualityReport()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report.generate({"t": REAL}, {"t": rows}, metadata, verbose=False)
        overall = report.get_properties().set_index("Property")["Score"]
        pd.testing.assert_series_equal(alike.quality[which], overall, check_names=False)
        for part, title in (("shapes", "Column Shapes"), ("pairs", "Column Pair Trends")):
            details = report.get_details(title, "t").rename(columns=str.lower)
            names = details.filter(like="column")
            pd.testing.assert_frame_equal(getattr(alike, part)[[*names]], names, check_dtype=False)
            np.testing.assert_allclose(getattr(alike, part)[which], details["score"], rtol=1e-9)
    assert figure(alike, "column shapes") == alike.quality.loc["Column Shapes", "synthetic"]


def test_rows_of_the_same_table_are_as_good_as_the_floor(alike):
    table = alike.summary()
    for name in ("column shapes", "column pair trends", "two-sample score", "utility, ROC AUC"):
        assert table.loc[name, "synthetic"] == pytest.approx(table.loc[name, "floor"], abs=0.1)
    assert figure(alike, "two-sample score") > 0.85
    assert abs(figure(alike, "nearer to real rows") - 0.5) < 0.1
    assert figure(alike, "exact copies") == 0


def test_columns_that_are_shuffled_keep_their_shapes_and_lose_all_else(apart):
    assert figure(apart, "column shapes") == pytest.approx(1)
    assert figure(apart, "column pair trends") < figure(apart, "column pair trends", "floor") - 0.1
    assert figure(apart, "determined cells kept") < 0.5
    assert figure(apart, "orders kept") < 0.8
    assert figure(apart, "two-sample score") < 0.5
    assert figure(apart, "utility, ROC AUC") < figure(apart, "utility, ROC AUC", "floor") - 0.1


def test_a_copy_of_the_training_table_is_found(copied):
    assert figure(copied, "exact copies") == 1
    assert figure(copied, "nearer to real rows") > 0.99
    assert figure(copied, "distance to real rows") < 0.01
    assert figure(copied, "singled out") > 2 * figure(copied, "singled out", "floor")


def test_the_floor_is_what_rows_held_out_give(alike):
    other = skvae.compare(REAL, TEST)
    for name in ("column shapes", "two-sample score", "exact copies", "singled out"):
        assert figure(other, name) == figure(alike, name, "floor")
    assert other.summary()["floor"].isna().all()
    assert "nearer to real rows" not in other.summary().index


def test_what_always_holds_is_found_and_measured(alike, apart):
    rules = {(a, rule, b) for a, rule, b in alike.dependence.iloc[:, :3].to_numpy()}
    assert rules == {("city", "determines", "country"), ("start", "is at most", "end")}
    assert (alike.dependence[["synthetic", "floor"]] == 1).all(axis=None)
    rows = shuffled(REAL)
    told = REAL.drop_duplicates("city").set_index("city")["country"]
    shares = (rows["city"].map(told) == rows["country"]).mean(), (rows.start <= rows.end).mean()
    np.testing.assert_allclose(apart.dependence["synthetic"], shares)


def test_no_rule_is_found_in_independent_columns():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"x{i}": rng.integers(0, 3 + 8 * i, 200) for i in range(20)})
    table["key"], table["far"], table["same"] = rng.permutation(200), 1000.0, "a"
    table["near"] = rng.random(200)
    assert skvae.compare(table, table[::-1]).dependence.empty


def test_holes_break_no_rule():
    real, rows = people(600), people(300, 1)
    for frame in (real, rows):
        for column in ("city", "country", "start", "end"):
            frame.loc[RNG.random(len(frame)) < 0.2, column] = None
    assert (skvae.compare(real, rows).dependence["synthetic"] == [1, 1]).all()


def test_missing_cells_are_counted_alone_and_together(alike):
    holes = alike.holes.set_index(["column 1", "column 2"])
    assert [*holes.index] == [("age", ""), ("income", ""), ("age", "income")]
    for which, rows in (("real", REAL), ("synthetic", SYNTHETIC), ("floor", TEST)):
        np.testing.assert_allclose(holes[which], rows["age"].isna().mean())
    gap = abs(REAL["age"].isna().mean() - SYNTHETIC["age"].isna().mean())
    assert figure(alike, "missing cells, largest difference") == pytest.approx(gap)
    none = skvae.compare(REAL.fillna(0), SYNTHETIC.fillna(0))
    assert none.holes.empty
    assert "missing cells, largest difference" not in none.summary().index


@pytest.mark.parametrize(
    ("target", "metric"), [("married", "ROC AUC"), ("country", "ROC AUC"), ("income", "R2")]
)
def test_utility_is_near_the_floor_and_nothing_where_the_target_is_shuffled(target, metric):
    good = utility_of(REAL, SYNTHETIC, TEST, target)
    broken = SYNTHETIC.assign(**{target: SYNTHETIC[target].array[RNG.permutation(500)]})
    bad = utility_of(REAL, broken, TEST, target)
    assert good.index == [metric]
    assert good.at[metric, "synthetic"] > good.at[metric, "floor"] - 0.1
    assert bad.at[metric, "synthetic"] < good.at[metric, "synthetic"] - 0.05


def test_utility_is_judged_on_a_part_of_the_real_rows_where_there_are_no_others():
    found = utility_of(REAL, SYNTHETIC, None, "income").loc["R2"]
    assert 0.2 < found["synthetic"] < 1 and 0.2 < found["floor"] < 1


def test_a_class_that_is_never_drawn_costs_utility():
    rows = SYNTHETIC[SYNTHETIC["country"] != "a"]
    found = utility_of(REAL, rows, TEST, "country").loc["ROC AUC"]
    assert found["synthetic"] < 0.9 < found["floor"]
    one = utility_of(REAL, rows.assign(country="b"), TEST, "country")
    assert np.isnan(one.at["ROC AUC", "synthetic"])


def test_the_same_tables_give_the_same_figures_whatever_their_dtypes(alike):
    others = SYNTHETIC.convert_dtypes()
    others["age"] = others["age"].astype("Int64")
    others["city"] = others["city"].astype("category")
    others["married"] = others["married"].astype(int)
    reversed_, test = pl.from_pandas(others[REAL.columns[::-1]]), pl.from_pandas(TEST).lazy()
    again = skvae.compare(REAL, reversed_, test=test, target="married")
    pd.testing.assert_frame_equal(again.summary(), alike.summary())


def test_columns_of_every_kind_are_taken():
    n = 60
    rng = np.random.default_rng(0)
    real = pd.DataFrame(
        {
            "ordered": pd.Categorical(rng.choice([*"abc"], n), [*"abc"], ordered=True),
            "whole": pd.array([None, *rng.integers(0, 9, n - 1)], "Int64"),
            "flag": pd.array([None, *(rng.random(n - 1) < 0.5)], "boolean"),
            "zoned": pd.date_range("1990", periods=n, tz="Europe/Paris"),
            "span": pd.to_timedelta(rng.integers(0, 99, n), "h"),
            "constant": 1.0,
            "none": np.nan,
            "nothing": [None] * n,
            "text": [f"t{i}" for i in range(n)],
        }
    )
    found = skvae.compare(real, real.sample(frac=1, random_state=0), test=real, target="span")
    assert len(found.shapes) == 9
    assert figure(found, "exact copies") == 1
    assert np.isfinite(figure(found, "two-sample score"))


def test_arrays_and_tables_of_few_rows_are_taken(tmp_path):
    rows = RNG.normal(size=(60, 2))
    found = skvae.compare(rows[:30], rows[30:], test=rows[15:45], target=1)
    assert [*found.shapes["column"]] == ["0", "1"]
    found.to_html(tmp_path / "page.html")


def test_labels_beyond_what_trees_take_are_taken():
    real = pd.DataFrame({"id": [f"i{i % 700}" for i in range(1400)], "x": RNG.normal(size=1400)})
    assert figure(skvae.compare(real, real[::-1], target="x"), "exact copies") == 1


def test_a_page_needs_nothing_else_and_runs_nothing(tmp_path):
    evil = {"age": "<script>alert(1)</script>", "city": "a$b$c&<b>"}
    given = [frame.rename(columns=evil) for frame in (REAL, SYNTHETIC, TEST)]
    found = skvae.compare(*given[:2], test=given[2], target="married")
    found.to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for page in (text, found._repr_html_()):
        assert "<script" not in page and "<b>alert" not in page and "&<b>" not in page
        assert not re.search(r"https?://|src=\"(?!data:)|href=|url\(|@import", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "data:image/png;base64," in text
    assert "prefers-color-scheme: dark" in text


def test_a_page_opens_with_all_figures_of_the_summary(alike, tmp_path):
    alike.to_html(tmp_path / "page.html")
    opening = (tmp_path / "page.html").read_text(encoding="utf-8").partition("<h2>")[0]
    for name, row in alike.summary().iterrows():
        assert f"<h3>{name}</h3><b>{row['synthetic']:.3f}</b>" in opening
        assert f"floor {row['floor']:.3f}" in opening


def test_a_page_without_matplotlib_says_that_it_has_no_pictures(alike, tmp_path, monkeypatch):
    monkeypatch.setattr("skvae._compare_page.find_spec", lambda name: None)
    alike.to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" not in text and "matplotlib is not installed" in text


def test_a_page_draws_the_columns_as_displays_do_and_leaves_no_figure_open(alike, tmp_path):
    import matplotlib.pyplot as plt

    pages = [tmp_path / "before.html", tmp_path / "after.html"]
    for page, style in zip(pages, ({}, {"axes.facecolor": "black"}), strict=True):
        with plt.rc_context(style):
            alike.to_html(page)
    assert not plt.get_fignums()
    assert pages[0].read_text() != pages[1].read_text()


def test_pictures_tell_labels_apart_as_figures_do():
    others = SYNTHETIC.assign(married=SYNTHETIC["married"].astype(int))
    married = skvae.compare(REAL, others)._drawn[0]["married"]
    assert married.difference < 0.1
    assert sorted(married.support) == ["0", "1"]


def test_a_comparison_keeps_no_cells_of_numbers(alike):
    kept = pickle.loads(pickle.dumps(alike))
    pd.testing.assert_frame_equal(kept.summary(), alike.summary())
    assert not any(x.tobytes() in pickle.dumps(alike) for x in REAL["income"].dropna().to_numpy())


def test_the_summary_is_what_is_printed(alike):
    assert "two-sample score" in repr(alike) and "two-sample score" in alike._repr_html_()
    assert [*alike.summary().columns] == ["synthetic", "floor", "ideal"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"synthetic": SYNTHETIC.drop(columns="age")},
            r"synthetic .* lacks \['age'\] and has \[\]",
        ),
        ({"test": TEST.assign(more=1)}, r"test .* lacks \[\] and has \['more'\]"),
        ({"synthetic": SYNTHETIC[:0]}, "synthetic has 0 rows and 7 columns"),
        ({"real": REAL[:3]}, "real has 3 rows"),
        ({"synthetic": [1, 2, 3]}, r"synthetic has the shape \(3,\), but a table of rows"),
        ({"target": "wages"}, "no target 'wages' among the columns"),
        ({"target": "city", "real": REAL.assign(city="a")}, "'city' has 1 classes"),
        ({"target": "age", "test": TEST.assign(age=np.nan)}, "'age' has 0 cells in test"),
        ({"synthetic": SYNTHETIC.assign(age="old")}, "'age' holds numbers in real, but synthetic"),
        ({"synthetic": SYNTHETIC.assign(age=np.inf)}, "'age' of synthetic has infinite cells"),
        ({"real": REAL.set_axis([*"aabcdef"], axis=1)}, "real has two columns called 'a'"),
    ],
)
def test_a_message_says_what_is_wrong(change, message):
    given = {"real": REAL, "synthetic": SYNTHETIC} | change
    with pytest.raises(ValueError, match=message):
        skvae.compare(given.pop("real"), given.pop("synthetic"), **given)


def test_without_sdmetrics_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr("skvae._compare.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "skvae\[report\]"'):
        skvae.compare(REAL, SYNTHETIC)
