import pickle
import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

import skvae
from skvae._compare_figures import copies, learned_score, nearer, privacy, utility
from skvae._compare_page import pictured
from skvae._compare_rules import dependence, holes
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


REAL, SYNTHETIC, TEST = people(400), people(350, 1), people(300, 2)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Trees of few rows are grown faster by one."""
    with threadpool_limits(1, "openmp"):
        yield


@pytest.fixture(scope="module")
def alike():
    return skvae.compare(REAL, SYNTHETIC, test=TEST, target="married")


@pytest.fixture(scope="module")
def apart():
    return skvae.compare(REAL, shuffled(REAL), test=TEST, target="married")


@pytest.fixture(scope="module")
def small():
    rows = np.random.default_rng(0).normal(size=(60, 2))
    return skvae.compare(rows[:30], rows[30:], test=rows[15:45], target=1)


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr("skvae._compare_page.find_spec", lambda name: None)


def case(real, synthetic, test=None):
    given = {"real": real, "synthetic": synthetic, "test": test}
    return case_of({name: rows for name, rows in given.items() if rows is not None})


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


def test_it_says_how_many_pairs_have_a_score(alike):
    n = alike.pairs["synthetic"].count()
    assert f"\n{n} of {len(alike.pairs)} pairs of columns go together" in repr(alike)
    noise = np.random.default_rng(0).normal(size=(2, 60, 2))
    assert "\n0 of 1 pairs of columns go together" in repr(skvae.compare(*noise))


def test_columns_that_do_nothing_but_tell_rows_apart_are_named():
    key, n = np.arange(60), np.random.default_rng(0).normal(size=(2, 60)).round(3)
    tables = [
        pd.DataFrame({"key": key + start, "n": x}) for start, x in zip((0, 60), n, strict=True)
    ]
    with pytest.warns(UserWarning, match="^Columns with another value .* has any: 'key'. If they"):
        skvae.compare(*tables)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        skvae.compare(*(table.assign(key=key) for table in tables))
        times = [table.assign(key=pd.to_datetime(table["key"], unit="D")) for table in tables]
        skvae.compare(*times)


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


def test_a_copy_of_the_training_table_is_found():
    copied, floor = privacy(case(REAL, REAL, TEST))[["synthetic", "floor"]].T.to_numpy()
    found = dict(zip(["nearer", "distance", "exact", "singled"], copied, strict=True))
    assert found["exact"] == 1
    assert found["nearer"] > 0.99
    assert found["distance"] < 0.01
    assert found["singled"] > 2 * floor[3]


def labels(n, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.choice([*"abc"], n) for name in "xyz"})


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_are_equally_near_to_many_are_no_nearer_to_training_rows(seed):
    train, test, rows = labels(1000, seed), labels(400, seed + 10), labels(1000, seed + 20)
    share, distance = nearer(train, test, rows)
    assert share == pytest.approx(0.5, abs=0.02)
    assert np.isnan(distance)  # rows held out repeat training rows as well


def test_rows_that_are_near_to_one_table_alone_are_nearer_to_it():
    train, test = (rows.assign(x=x) for rows, x in ((labels(90, 0), "a"), (labels(60, 1), "b")))
    assert nearer(train, test, train)[0] == 1
    assert nearer(train, test, test) == (0, 1)


def test_a_hole_is_no_label_and_minus_zero_is_zero():
    train = pd.DataFrame({"x": ["missing", None, "a"], "_merge": [1.0, 2.0, 0.0]})
    rows = pd.DataFrame({"x": [None, None, "a", "a"], "_merge": [1.0, 2.0, -0.0, np.nan]})
    assert copies(train, rows) == 0.5


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
    assert dependence(case(table, table[::-1])).empty


def test_holes_break_no_rule():
    real, rows = people(600), people(300, 1)
    for frame in (real, rows):
        for column in ("city", "country", "start", "end"):
            frame.loc[RNG.random(len(frame)) < 0.2, column] = None
    assert (dependence(case(real, rows))["synthetic"] == [1, 1]).all()


def test_missing_cells_are_counted_alone_and_together(alike):
    table = alike.holes.set_index(["column 1", "column 2"])
    assert [*table.index] == [("age", ""), ("income", ""), ("age", "income")]
    for which, rows in (("real", REAL), ("synthetic", SYNTHETIC), ("floor", TEST)):
        np.testing.assert_allclose(table[which], rows["age"].isna().mean())
    gap = abs(REAL["age"].isna().mean() - SYNTHETIC["age"].isna().mean())
    assert figure(alike, "missing cells, largest difference") == pytest.approx(gap)
    none = holes(case(REAL.fillna(0), SYNTHETIC.fillna(0)))
    assert none.empty
    assert "missing cells, largest difference" not in replace(alike, holes=none).summary().index


@pytest.mark.parametrize(
    ("target", "metric"), [("married", "ROC AUC"), ("country", "ROC AUC"), ("income", "R2")]
)
def test_utility_is_near_the_floor_and_nothing_where_the_target_is_shuffled(target, metric):
    good = utility(case(REAL, SYNTHETIC, TEST), target).loc[metric]
    column = SYNTHETIC[target].array[RNG.permutation(len(SYNTHETIC))]
    broken = case(REAL, SYNTHETIC.assign(**{target: column}), TEST)
    bad = learned_score(broken.synthetic, broken.real, broken.test, target)
    assert good["synthetic"] > good["floor"] - 0.1
    assert bad < good["synthetic"] - 0.05


def test_utility_is_judged_on_a_part_of_the_real_rows_where_there_are_no_others():
    found = utility(case(REAL, SYNTHETIC), "income").loc["R2"]
    assert 0.2 < found["synthetic"] < 1 and 0.2 < found["floor"] < 1


def test_a_class_that_is_never_drawn_costs_utility():
    rows = SYNTHETIC[SYNTHETIC["country"] != "a"]
    found = utility(case(REAL, rows, TEST), "country").loc["ROC AUC"]
    assert found["synthetic"] < 0.9 < found["floor"]
    one = case(REAL, rows.assign(country="b"), TEST)
    assert np.isnan(learned_score(one.synthetic, one.real, one.test, "country"))


def test_a_class_of_one_row_among_many_is_learned_from():
    x = np.arange(10_100.0)
    rows = case_of({"real": pd.DataFrame({"x": x, "y": np.where(x > 0, "many", "one")})}).real
    assert np.isfinite(learned_score(rows, rows, rows, "y"))


def test_a_number_of_two_values_is_the_nearer_one():
    real = pd.DataFrame({"x": RNG.normal(size=100)}).eval("y = 1.0 * (x > 0)")
    rows = real.assign(y=real["y"] + RNG.uniform(-0.4, 0.4, 100))
    found = utility(case(real, rows, real), "y").loc["ROC AUC"]
    assert found["synthetic"] == found["floor"] > 0.9


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


def test_arrays_and_tables_of_few_rows_are_taken(small):
    assert [*small.shapes["column"]] == ["0", "1"]


def test_labels_beyond_what_trees_take_are_taken():
    real = pd.DataFrame({"id": [f"i{i % 300}" for i in range(600)], "x": RNG.normal(size=600)})
    assert figure(skvae.compare(real, real[::-1], target="x"), "exact copies") == 1


def test_a_page_needs_nothing_else_and_runs_nothing(tmp_path):
    evil = {"age": "<script>alert(1)</script>", "city": "a$b$c&<b>"}
    shown = [*evil, "married"]
    given = [frame[:60][shown].rename(columns=evil) for frame in (REAL, SYNTHETIC, TEST)]
    found = skvae.compare(*given[:2], test=given[2], target="married")
    found.to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for page in (text, found._repr_html_()):
        assert "<script" not in page and "<b>alert" not in page and "&<b>" not in page
        assert not re.search(r"https?://|src=\"(?!data:)|href=|url\(|@import", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "data:image/png;base64," in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.usefixtures("no_pictures")
def test_a_page_opens_with_all_figures_of_the_summary(alike, tmp_path):
    alike.to_html(tmp_path / "page.html")
    opening = (tmp_path / "page.html").read_text(encoding="utf-8").partition("<h2>")[0]
    for name, row in alike.summary().iterrows():
        assert f"<h3>{name}</h3><b>{row['synthetic']:.3f}</b>" in opening
        assert f"floor {row['floor']:.3f}" in opening


@pytest.mark.usefixtures("no_pictures")
def test_a_page_without_matplotlib_says_that_it_has_no_pictures(alike, tmp_path):
    alike.to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" not in text and "matplotlib is not installed" in text


def test_a_page_draws_the_columns_in_the_style_in_force_and_apart_from_pyplot(small, tmp_path):
    import matplotlib.pyplot as plt

    own = plt.figure()
    pages = [tmp_path / "before.html", tmp_path / "after.html"]
    for page, style in zip(pages, ({}, {"axes.facecolor": "black"}), strict=True):
        with plt.rc_context(style):
            small.to_html(page)
    assert pages[0].read_text() != pages[1].read_text()
    assert plt.gcf() is own
    plt.close()


def test_a_page_that_cannot_be_drawn_leaves_no_figure_open(small, tmp_path, monkeypatch):
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    monkeypatch.delattr(Figure, "savefig")
    with pytest.raises(AttributeError):
        small.to_html(tmp_path / "page.html")
    assert not plt.get_fignums()


def test_pictures_tell_labels_apart_as_figures_do():
    others = SYNTHETIC.assign(married=SYNTHETIC["married"].astype(int))
    married = pictured({"real": REAL, "synthetic": others}, case(REAL, others))[0]["married"]
    assert married.difference < 0.1
    assert sorted(married.support) == ["0", "1"]


def test_a_comparison_keeps_no_cells_of_numbers(alike):
    dumped = pickle.dumps(alike)
    pd.testing.assert_frame_equal(pickle.loads(dumped).summary(), alike.summary())
    assert not any(x.tobytes() in dumped for x in REAL["income"].dropna().to_numpy())


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
        (
            {"target": "age", **dict.fromkeys(["real", "synthetic"], REAL[["age"]])},
            "real has no cells but those of the target 'age'",
        ),
        (
            {"target": "age", "synthetic": SYNTHETIC[["age"]].reindex(columns=REAL.columns)},
            "synthetic has no cells but those of the target 'age'",
        ),
        ({"test": TEST.assign(**dict.fromkeys(TEST))}, "All cells of test are missing"),
        (
            {"synthetic": SYNTHETIC.assign(age="old")},
            "'age' holds numbers in real, but texts in syn",
        ),
        ({"synthetic": SYNTHETIC.assign(age="7")}, "'age' holds numbers in real, but texts in"),
        (
            {"test": TEST.assign(age=TEST["start"])},
            "'age' holds numbers in real, but times in test",
        ),
        (
            {"test": TEST.assign(start=TEST["end"] - TEST["start"])},
            "'start' holds times in real, but durations in test",
        ),
        ({"test": TEST.assign(city=1)}, "'city' holds texts in real, but numbers in test"),
        (
            {"test": TEST.assign(age=["7", *[7] * 299])},
            "'age' holds numbers in real, but mixed cells in test",
        ),
        (
            {"test": TEST.assign(age=[10**400, *[7] * 299])},
            "'age' of test has numbers that cannot be counted .*; mark",
        ),
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
    with pytest.raises(ImportError, match=r"pip install '\.\[report\]'"):
        skvae.compare(REAL, SYNTHETIC)
