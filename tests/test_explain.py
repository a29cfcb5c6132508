"""What cells cost given the others, against integrals, scores and planted cells."""

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.exceptions import NotFittedError
from tables import BY_LIKELIHOOD

from skvae import VAEOutlierDetector, VAETransformer, likelihoods
from skvae._component import known
from skvae.inference._blocks import padded
from skvae.inference._by_cell import TIMES, cell_scores
from skvae.likelihoods import Likelihood
from skvae.model import Inference

RNG = np.random.default_rng(0)
N = 400
Z = RNG.normal(size=(N, 1))
X = Z * [1.0, -1.0, 2.0, 0.5] + 0.3 * RNG.normal(size=(N, 4)) * [1.0, 1.0, 2.0, 0.5]
KIND = RNG.integers(0, 3, N)
MIXED = pd.DataFrame(
    {
        "kind": np.array(["a", "b", "c"])[KIND],
        "x": 5.0 * KIND + RNG.normal(size=N),
        "n": 10 * KIND + RNG.poisson(3, N),
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(100 * KIND + RNG.poisson(9, N), "D"),
        "same": 1.5,
    },
    index=np.arange(N) + 7,
)


def detector(latent_dim=2, **parameters):
    own = {"hidden_layer_sizes": 32, "max_iter": 60} | parameters
    return VAEOutlierDetector(VAETransformer(latent_dim, **own), random_state=0)


@pytest.fixture(scope="module")
def numbers():
    return detector(1, likelihood="gaussian").fit(X)


@pytest.fixture(scope="module")
def mixed():
    return detector(max_iter=100).fit(MIXED)


@pytest.fixture(scope="module")
def chained():
    return detector(max_iter=30, autoregressive=True).fit(MIXED)


def integrated(vae, rows):
    """log p(cell | others) by an integral over the one latent dimension."""
    z = np.linspace(-6, 6, 4001, dtype=np.float32)[:, None, None]
    x = vae._codec.encode(vae._rows(rows)).x[:]
    network, w = vae._model.network, vae._model.learned()
    cells = network.log_prob_of_cells(w, x, np.repeat(z, len(x), axis=1), Inference())
    log_joint = norm.logpdf(z[..., 0]) + np.sum(cells, axis=2)
    total = logsumexp(log_joint, axis=0)[:, None]
    return total - logsumexp(log_joint[..., None] - cells, axis=0) - np.log(X.std(axis=0))


def test_scores_of_cells_are_those_of_an_integral(numbers):
    rows = np.concatenate([X[:50], X[:4] + 1.5 * np.eye(4)])
    found = numbers.vae_.score_cells(rows, n_draws=512)
    np.testing.assert_allclose(found, integrated(numbers.vae_, rows), atol=0.1)
    few = numbers.vae_.score_cells(rows)
    assert abs(few - found).mean() < 0.1


def test_a_cell_scores_what_its_row_loses_without_it(mixed):
    rows, vae = MIXED[:40], mixed.vae_
    found, whole = vae.score_cells(rows, n_draws=256), vae.score_samples(rows, n_draws=1024)
    for name in ("kind", "x", "n", "day"):
        without = vae.score_samples(rows.assign(**{name: None}), n_draws=1024)
        np.testing.assert_allclose(found[name], whole - without, atol=1.5)
        assert abs(found[name] - (whole - without)).mean() < 0.15
    assert (found["same"] == 0).all()


def test_costs_of_rows_of_the_model_itself_are_0_in_the_mean(numbers):
    costs = numbers.explain(numbers.vae_.sample(2000, random_state=0))
    assert abs(costs.mean(axis=0)).max() < 5 * costs.std(axis=0).max() / 2000**0.5
    assert costs.std(axis=0).min() > 0.5  # half of a chi-square's


def test_the_cell_that_does_not_go_with_the_others_costs_most():
    model = detector(3).fit(X)
    off, column = X[:80].copy(), np.arange(80) % 4
    off[np.arange(80), column] += 4 * X.std(axis=0)[column] * np.sign(-off[np.arange(80), column])
    costs = model.explain(off)
    assert (costs.argmax(axis=1) == column).mean() > 0.9
    assert np.median(costs.max(axis=1)) > 10


def test_a_label_that_does_not_go_with_numbers_is_named(mixed):
    off = MIXED[:60].assign(kind=MIXED["kind"][:60].map({"a": "c", "b": "a", "c": "b"}))
    assert (mixed.explain(off).idxmax(axis=1) == "kind").mean() > 0.9


def test_units_change_no_cost():
    units = 10.0 ** np.arange(-3, 5, 2)
    costs = [detector(1).fit(X * unit).explain(X[:50] * unit) for unit in (1, units)]
    np.testing.assert_allclose(*costs, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("method", ["explain", "score_cells"])
@pytest.mark.parametrize("which", ["mixed", pytest.param("chained", marks=pytest.mark.slow)])
def test_a_row_tells_the_same_bits_alone_and_among_others(which, method, request):
    model = request.getfixturevalue(which)
    tell = getattr(model if method == "explain" else model.vae_, method)
    among, alone = tell(MIXED[60:80], n_draws=16), tell(MIXED[70:71], n_draws=16)
    pd.testing.assert_frame_equal(among[10:11], alone, check_exact=True)


def test_the_table_is_like_that_of_fit_with_nan_in_holes(mixed):
    holed = MIXED[:30].mask(RNG.random((30, 5)) < 0.3)
    costs = mixed.explain(holed)
    assert costs.index.equals(holed.index) and costs.columns.equals(holed.columns)
    pd.testing.assert_frame_equal(costs.isna(), holed.isna())
    assert set(costs.dtypes) == {np.dtype(float)}


def test_polars_and_arrays_come_back_as_they_came(numbers):
    frame = pl.DataFrame(dict(zip("abcd", X.T, strict=True)))
    costs = detector(1, likelihood="gaussian").fit(frame).explain(frame[:9])
    assert costs.columns == frame.columns and costs.shape == (9, 4)
    array = numbers.explain(X[:9])
    np.testing.assert_array_equal(costs.to_numpy(), array)
    sparse = detector(1, likelihood="gaussian").fit(csr_array(X)).explain(csr_array(X[:9]))
    np.testing.assert_array_equal(sparse, array)


@pytest.mark.parametrize("which", ["mixed", pytest.param("chained", marks=pytest.mark.slow)])
def test_what_fit_never_saw_costs_as_much_as_in_the_score(which, request):
    odd = MIXED[:2].assign(kind=["a", "new"], same=[1.5, 2.0])
    costs = request.getfixturevalue(which).explain(odd)
    assert costs["same"].tolist() == pytest.approx([0, np.log(N + 1)])
    assert np.log(N + 1) - np.log(3) < costs["kind"].iloc[1] < np.log(N + 1) + 0.4  # of draws


def test_far_cells_and_rows_without_any_cell_give_numbers(numbers):
    rows = np.array([[1e30, 0, 0, 0], [np.nan] * 4, [0, np.nan, np.nan, np.nan]])
    costs = numbers.explain(rows)
    assert costs[0].argmax() == 0 and costs[0, 0] > 1e6
    np.testing.assert_array_equal(np.isfinite(costs), np.isfinite(rows))
    np.testing.assert_array_equal(np.isfinite(numbers.vae_.score_cells(rows)), np.isfinite(rows))


def test_a_far_cell_leaves_those_beside_it_their_costs():
    linear = detector(1, likelihood="gaussian", hidden_layer_sizes=()).fit(X)
    near, far = linear.explain(np.c_[[np.nan, 1e30], np.zeros((2, 3))])[:, 1:]
    assert abs(far - near).max() < 2


class OnlyNear(keras.layers.Dense):
    """Gives no numbers for rows with one above 9."""

    def call(self, x):
        return super().call(x + 0 * keras.ops.log(9 - x))


def only_near(n_inputs, n_outputs):
    return keras.Sequential([OnlyNear(n_outputs)])


def test_a_cell_with_which_the_encoder_fails_is_named_and_other_rows_keep_their_costs():
    model = detector(1, likelihood="gaussian", encoder=only_near).fit(X)
    off = X[:20].copy()
    off[7, 1] = 20
    assert np.isnan(model.vae_.transform(off[7:8])).all()
    costs = model.explain(off)
    assert np.isfinite(costs).all() and costs[7].argmax() == 1
    others = np.arange(20) != 7
    np.testing.assert_array_equal(costs[others], model.explain(X[:20])[others])


class Overflowing(likelihoods.Gaussian):
    """Every other draw is no number."""

    def sample(self, w, raw, rng):
        draws = super().sample(w, raw, rng)
        return np.where(rng.random(draws.shape) < 0.5, np.inf, draws)


@pytest.mark.parametrize("chain", [False, True])
def test_draws_that_are_no_numbers_do_not_count(chain):
    model = detector(1, likelihood=Overflowing(), autoregressive=chain, max_iter=20).fit(X)
    costs = model.explain(X[:20])
    assert np.isfinite(costs).all() and 0.1 < costs.std() < 5


class OwnNoise(likelihoods.Gaussian):
    """Draws by a method of NumPy's that few likelihoods use."""

    def sample(self, w, raw, rng):
        center, log_scale = np.split(raw, 2, axis=-1)
        return center + np.exp(log_scale) * rng.triangular(-2.4, 0, 2.4, center.shape)


@pytest.mark.parametrize("chain", [False, True])
def test_rows_are_explained_alone_by_whatever_a_likelihood_draws(chain):
    own = OwnNoise(scale="cell")
    model = detector(1, likelihood=own, autoregressive=chain, max_iter=3).fit(X)
    np.testing.assert_array_equal(model.explain(X[:20])[12:13], model.explain(X[12:13]))


def test_what_is_expected_is_of_the_cells_that_draws_settle_to(numbers):
    """Were each draw the cell itself, it would be as likely as it is."""
    model, x = numbers.vae_._model, numbers.vae_._codec.encode(numbers.vae_._rows(X[:50])).x

    def settle(drawn):
        rows = len(drawn) // TIMES
        return np.tile(padded(x[:], rows), (TIMES, 1)), np.full(drawn.shape, 0.25)

    scores = cell_scores(model, x, [0] * 4, 64, settle)
    np.testing.assert_allclose(scores.expected, scores.log_prob + 0.25, atol=1e-3)


def test_whole_numbers_of_arrays_are_explained():
    counts = RNG.poisson(3, (N, 1)) + RNG.poisson(1, (N, 3))
    costs = detector(1, max_iter=20).fit(counts).explain(counts[:20])
    assert costs.dtype == float and np.isfinite(costs).all()
    small = counts.astype(np.int8)
    np.testing.assert_array_equal(detector(1, max_iter=20).fit(small).explain(small[:20]), costs)


def test_what_scores_refuse_is_refused_here_too():
    counts = detector(1, likelihood="poisson", max_iter=1).fit(RNG.poisson(3, (60, 2)))
    for tell in (counts.explain, counts.vae_.score_cells):
        with pytest.raises(ValueError, match=r"column 0 has -3 \(row 1\)"):
            tell([[1.0, 2.0], [-3.0, 2.0]])


def test_a_column_of_which_fit_saw_no_cell_tells_nothing():
    empty = detector(1, max_iter=1).fit(np.c_[X[:, :2], np.full(N, np.nan)])
    assert np.isnan(empty.explain([[0.0, 0.0, 5.0]])).tolist() == [[False, False, True]]


def test_of_many_columns_the_oddest_is_found():
    wide = Z @ RNG.normal(size=(1, 60)) + 0.3 * RNG.normal(size=(N, 60))
    model = detector(1, max_iter=40).fit(wide)
    off = wide[:30].copy()
    off[np.arange(30), np.arange(30)] += 6
    assert (model.explain(off).argmax(axis=1) == np.arange(30)).mean() > 0.9
    np.testing.assert_array_equal(model.explain(off)[7:8], model.explain(off[7:8]))
    off[:, 30:] = np.nan
    assert (np.nanargmax(model.explain(off), axis=1) == np.arange(30)).mean() > 0.9


@pytest.mark.parametrize("name", known(Likelihood, likelihoods))
def test_every_likelihood_tells_what_its_cells_cost(name):
    model = detector(1, likelihood=name, max_iter=1, hidden_layer_sizes=4).fit(BY_LIKELIHOOD[name])
    rows = model.vae_.sample(300, random_state=0)
    costs = np.asarray(model.explain(rows))
    assert abs(costs.mean(axis=0)).max() < 5 * costs.std(axis=0).max() / 300**0.5
    np.testing.assert_array_equal(np.asarray(model.explain(rows[50:60])), costs[50:60])


def test_cells_that_see_each_other_are_explained_too(chained):
    off = MIXED[:30].assign(kind=MIXED["kind"][:30].map({"a": "c", "b": "a", "c": "b"}))
    costs = chained.explain(off)
    assert (costs.idxmax(axis=1) == "kind").mean() > 0.8
    assert abs(chained.explain(chained.vae_.sample(60, 0)).mean()).max() < 0.7
    vae, rows = chained.vae_, MIXED[:10]
    without = vae.score_samples(rows.assign(x=None), n_draws=64)
    whole = vae.score_samples(rows, n_draws=64)
    np.testing.assert_allclose(vae.score_cells(rows)["x"], whole - without, atol=1e-6)


@pytest.mark.slow
def test_a_cell_that_breaks_a_sum_costs_it_and_its_members_alone():
    rng = np.random.default_rng(0)
    start, took = rng.integers(0, 200, N), rng.geometric(0.2, N)
    visits = pd.DataFrame({"start": start, "end": start + took, "ward": rng.choice([*"ab"], N)})
    model = detector(autoregressive=True, max_iter=30, hidden_layer_sizes=16).fit(visits)
    assert model.vae_._codec.sums
    assert abs(model.explain(model.vae_.sample(60, 0)).mean()).max() < 0.7
    off = visits[visits["start"] > 10][:20].eval("end = start - 3")
    costs = model.explain(off)
    assert (costs[["start", "end"]] > 5).all(axis=None) and (abs(costs["ward"]) < 2).all()
    off["start"] = None
    assert (model.explain(off)["end"] < 3).mean() > 0.8


def diamonds(n, rng):
    """Weights, sizes that follow from them, a depth that follows from sizes, grades and prices."""
    carat = rng.lognormal(-0.4, 0.55, n).round(2).clip(0.2)
    size = 6.4 * carat ** (1 / 3)
    x, y = (size * rng.normal(1, 0.008, n) for _ in range(2))
    z = 0.31 * (x + y) * rng.normal(1, 0.02, n)
    grades = {"cut": 5, "color": 7, "clarity": 8}
    codes = {name: rng.binomial(k - 1, 0.6, n) for name, k in grades.items()}
    worth = 0.04 * codes["cut"] + 0.08 * codes["color"] + 0.12 * codes["clarity"]
    numbers = {"carat": carat, "x": x.round(2), "y": y.round(2), "z": z.round(2)}
    numbers |= {"depth": (200 * z / (x + y)).round(1), "table": rng.normal(57.5, 2.2, n).round()}
    price = np.exp(7.6 + 1.7 * np.log(carat) + worth + rng.normal(0, 0.1, n)).round()
    labels = {name: [f"{name} {code}" for code in own] for name, own in codes.items()}
    return pd.DataFrame({**numbers, **labels, "price": price})


@pytest.mark.slow
def test_planted_cells_of_diamonds_are_named_first():
    """One number of a row comes from another row (no depth: were it wrong, z might be as well)."""
    rng = np.random.default_rng(0)
    table = diamonds(6000, rng)
    rows, columns = rng.choice(6000, 60, replace=False), np.tile([*"xyz", "carat", "price"], 12)
    off = table.copy()
    for row, name in zip(rows, columns, strict=True):
        apart = abs(np.log(table[name] / table[name][row]))
        others = table[name][apart > apart.quantile(0.6)]
        off.loc[row, name] = others.sample(random_state=row).iloc[0]
    model = VAEOutlierDetector(random_state=0).fit(off)
    named = model.explain(off.iloc[rows]).idxmax(axis=1)
    assert (named == columns).sum() >= 55
    first = model.score_samples(off).argsort()[:100]
    assert np.isin(rows, first).mean() > 0.5


def test_before_fit_there_is_nothing_to_explain():
    with pytest.raises(NotFittedError):
        VAEOutlierDetector().explain(X)
    with pytest.raises(ValueError, match=r"n_draws=0, but a whole number of at least 1"):
        detector(1, max_iter=1, likelihood="gaussian").fit(X).explain(X, n_draws=0)
