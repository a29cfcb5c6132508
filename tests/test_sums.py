"""Columns that are sums of others: an end comes after its start, a total is what it is made of."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import logsumexp
from scipy.stats import geom

from skvae import VAETransformer, training
from skvae._plan import table_of
from skvae.likelihoods._auto import chooser
from skvae.table import _find_sums, arranged
from skvae.training import _loop

N = 1500
DAY = pd.Timedelta("1D")


def small(**parameters):
    fixed = {"hidden_layer_sizes": 16, "max_iter": 15, "random_state": 0, "autoregressive": True}
    return VAETransformer(2, **fixed | parameters)


def rng():
    return np.random.default_rng(0)


def visits(n=N):
    """Days from 0 on, of which a stay takes some: five on average, and at least one."""
    random = rng()
    start = random.integers(0, 200, n)
    end = start + random.geometric(0.2, n)
    return pd.DataFrame({"start": start, "end": end, "ward": random.choice([*"ab"], n)})


def receipts(n=N):
    """Of millions, to the cent."""
    random = rng()
    net = random.lognormal(13, 1, n).round(2)
    tax = (net * random.choice([0.07, 0.19], n)).round(2)
    return pd.DataFrame({"net": net, "tax": tax, "total": (net + tax).round(2)})


def with_holes(table):
    holed = table.astype({"start": "Int64", "end": "Int64"})
    random = rng()
    holed.loc[random.random(N) < 0.2, "end"] = pd.NA
    holed.loc[random.random(N) < 0.1, "start"] = pd.NA
    return holed


VISITS, RECEIPTS = visits(), receipts()
HOLED = with_holes(VISITS)


@pytest.fixture(scope="module")
def stays():
    return small().fit(HOLED)


@pytest.fixture(scope="module")
def bills():
    return small(likelihood="histogram").fit(RECEIPTS)


def sums(codec):
    """The sums of a table: their columns with signs."""
    return [
        {
            codec.names[codec.order[cell]]: sign
            for cell, sign in zip(own.cells, own.signs, strict=True)
        }
        for own in codec.sums.sums
    ]


def in_cents(rows):
    return (100 * rows[["net", "tax", "total"]]).round().astype(int)


def test_an_end_comes_after_its_start_and_as_late_as_ends_do(stays):
    rows = stays.sample(4000, random_state=0)
    length = rows["end"] - rows["start"]
    assert (length >= 1).all()
    assert abs(length.mean() - 5) < 0.7
    shares = [np.mean(length == k) for k in range(1, 6)]
    np.testing.assert_allclose(shares, geom.pmf(range(1, 6), 0.2), atol=0.05)


def test_a_total_is_what_it_is_made_of_to_the_cent(bills):
    cents = in_cents(bills.sample(4000, random_state=0))
    right = cents["net"] + cents["tax"] == cents["total"]
    assert right.mean() > 0.995  # but where a total lies beyond the largest one seen


@pytest.mark.parametrize("missing", ["net", "tax", "total"])
def test_what_is_missing_of_a_sum_follows_from_the_others(bills, missing):
    rows = RECEIPTS.head(40).copy()
    rows[missing] = np.nan
    for filled in (bills.impute(rows), bills.impute(rows, 0, draw=True)):
        np.testing.assert_array_equal(in_cents(filled), in_cents(RECEIPTS.head(40)))


@pytest.mark.parametrize("given", [{"total": 1111111.11}, {"net": 99999.99}, {"tax": 50505.05}])
def test_the_rest_of_a_sum_is_drawn_so_that_it_is_one(bills, given):
    cents = in_cents(bills.sample(200, random_state=0, given=given))
    assert (cents["net"] + cents["tax"] == cents["total"]).mean() > 0.97


@pytest.mark.parametrize("given", [{"start": 50}, {"end": 100}])
def test_a_stay_takes_as_long_whichever_end_is_given(stays, given):
    rows = stays.sample(500, random_state=0, given=given)
    length = rows["end"] - rows["start"]
    assert (length >= 1).all()
    assert abs(length.mean() - 5) < 1.5


def test_missing_ends_are_filled_by_means_or_draws(stays):
    rows = VISITS.head(300).astype({"start": "Int64", "end": "Int64"})
    rows.loc[::2, "end"], rows.loc[1::2, "start"] = pd.NA, pd.NA
    means, draws = stays.impute(rows), stays.impute(rows, 0, draw=True)
    for filled in (means, draws):
        length = filled["end"] - filled["start"]
        assert abs(length.mean() - 5) < 1
        assert (length >= 1).all()
    assert (means["end"] - means["start"]).std() < (draws["end"] - draws["start"]).std() / 2


@pytest.mark.parametrize(("column", "values"), [("end", (-30, 320)), ("start", (-80, 300))])
def test_the_score_without_a_cell_sums_over_what_it_may_be(stays, column, values):
    rows, values = VISITS.iloc[:6].astype({"start": "Int64", "end": "Int64"}), np.arange(*values)
    every = rows.loc[rows.index.repeat(len(values))].astype({"start": int, "end": int})
    every[column] = np.tile(values, len(rows))
    there = logsumexp(stays.score_samples(every, n_draws=32).reshape(len(rows), -1), axis=1)
    rows[column] = pd.NA
    without = stays.score_samples(rows, n_draws=512)
    assert np.median(abs(without - there)) < 0.15
    assert abs(np.mean(without - there)) < 0.3


def test_a_value_that_repeats_counts_with_its_probability_however_it_is_told(stays):
    """A start may be any of 200 days, an end one of some: in nats about log 200 + entropy."""
    entropy = geom.entropy(0.2)
    assert abs(stays.score(VISITS) + np.log(200) + entropy + np.log(2)) < 0.5


def test_scores_are_in_the_units_of_X(bills):
    scaled = small(likelihood="histogram").fit(RECEIPTS.mul(100).round())
    difference = bills.score(RECEIPTS) - scaled.score(RECEIPTS.mul(100).round())
    assert abs(difference - 3 * np.log(100)) < 0.1


def test_codes_are_those_of_a_model_that_knows_no_sums(stays):
    other = small(autoregressive=False).fit(HOLED)
    np.testing.assert_array_equal(other.transform(HOLED), stays.transform(HOLED))
    np.testing.assert_array_equal(other.history_["loss"], stays.history_["loss"])


def test_times_and_durations_are_added_up():
    random = rng()
    start = pd.Timestamp("2020-01-01") + DAY * random.integers(0, 1000, N)
    took = DAY * random.geometric(0.1, N)
    table = pd.DataFrame({"start": start, "end": start + took, "took": took})
    vae = small(max_iter=8).fit(table)
    assert sums(vae._codec) == [{"start": -1, "end": 1}, {"start": 1, "end": -1, "took": 1}]
    rows = vae.sample(1000, random_state=0)
    assert (rows["end"] > rows["start"]).all()
    assert (rows["start"] + rows["took"] == rows["end"]).mean() > 0.97


def test_rows_have_missing_ends_as_those_of_fit(stays):
    rows = stays.sample(2000, random_state=0, missing=True)
    assert abs(rows["end"].isna().mean() - 0.2) < 0.05
    assert abs(rows["start"].isna().mean() - 0.1) < 0.05
    both = rows.dropna()
    assert (both["end"] > both["start"]).all()


def found(table):
    """The sums that a fit finds, before it trains."""
    vae, arrange = small(likelihood="histogram"), partial(arranged, weight=None, rng=rng())
    learned = table_of(vae, table, chooser(vae.likelihood), arrange, continues=False)
    assert np.isfinite(learned.encoded().offset).all()
    return sums(learned.codec)


def test_a_column_that_depends_otherwise_is_no_sum():
    x, noise, other = rng().normal(size=(3, N))
    half = x / 2 + noise / 9
    assert found(pd.DataFrame({"x": x, "half": half, "square": x**2, "other": other})) == []


def test_more_and_fewer_are_told_apart_by_their_signs():
    whole, part = rng().normal((50, 20), (9, 5), (N, 2)).T
    table = pd.DataFrame({"part": part, "whole": whole, "rest": whole - part})
    assert found(table) == [{"part": 1, "whole": -1, "rest": 1}]


@pytest.mark.slow
def test_a_sum_is_told_by_columns_of_the_finest_numbers_alone():
    random = rng()
    price, discount = random.gamma(9, 10, N).round(2), random.integers(0, 30, N).astype(float)
    table = pd.DataFrame({"discount": discount, "price": price})
    table["total"] = (price - discount).round(2)
    vae = small(likelihood="histogram", max_iter=3).fit(table)
    assert sums(vae._codec) == [{"discount": 1, "price": -1, "total": 1}]
    rows = vae.sample(1000, random_state=0)
    assert ((rows["price"] - rows["discount"] - rows["total"]).abs() < 0.005).mean() > 0.99
    rows = vae.sample(100, random_state=0, given={"price": 80.5, "total": 70.5})
    assert (rows["discount"] % 1 == 0).all()


@pytest.mark.slow
def test_sums_of_sparse_columns():
    a, b = rng().poisson(20, (2, 400))
    table = csr_array(np.column_stack([a, b, a + b]).astype(float))
    vae = small(likelihood="histogram", max_iter=2).fit(table)
    assert sums(vae._codec) == [{0: -1, 1: -1, 2: 1}]
    rows = vae.sample(200, random_state=0)
    assert np.mean(rows[:, 0] + rows[:, 1] == rows[:, 2]) > 0.95
    assert np.isfinite(vae.score_samples(table)).all()


@pytest.mark.slow
def test_sums_are_found_when_a_later_fit_goes_on_to_learn_them():
    vae = small(autoregressive=False, warm_start=True, max_iter=1).fit(VISITS)
    assert sums(vae._codec) == []
    vae.set_params(autoregressive=True).fit(VISITS)
    assert sums(vae._codec) == [{"start": -1, "end": 1}]


def test_columns_of_which_few_rows_are_seen_are_in_no_sum(monkeypatch):
    monkeypatch.setattr(_find_sums, "MOST_ROWS", 300)
    table = VISITS.assign(rare=np.where(np.arange(N) < 20, VISITS["end"] + 0.5, np.nan))
    assert found(table.drop(columns="ward")) == [{"start": -1, "end": 1}]


@pytest.mark.parametrize("size", [1e160, 1e300])
def test_huge_numbers_have_sums_or_none_but_no_errors(size):
    a, b = size * rng().lognormal(size=(2, 300))
    with np.errstate(over="ignore"):
        found(pd.DataFrame({"a": a, "b": b, "sum": a + b}))


def test_an_interrupt_of_the_first_stage_leaves_a_model_without_sums(monkeypatch):
    def interrupted(task, state):
        yield next(_loop.states(task, state))
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "states", interrupted)
    vae = small()
    with pytest.raises(KeyboardInterrupt):
        vae.fit(VISITS)
    assert len(vae.sample(5)) == 5
    assert np.isfinite(vae.score_samples(VISITS.head())).all()
