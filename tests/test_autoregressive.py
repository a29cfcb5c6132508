"""Cells that see each other: p(x | z) as a product over columns, each given those before it."""

import pickle
from copy import copy

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import logsumexp

from skvae import VAETransformer, _fitting, inference, likelihoods, training
from skvae._component import known
from skvae.inference import _calibrate, _condition, _proposals
from skvae.likelihoods import Likelihood
from skvae.likelihoods._base import Column, Size, padded
from skvae.model import Chain, Joint, Runs
from skvae.priors import Mixture
from skvae.table import Dense
from skvae.training import _loop, _relations

RNG = np.random.default_rng(0)


def small(**parameters):
    fixed = {"hidden_layer_sizes": 8, "max_iter": 3, "random_state": 0, "autoregressive": True}
    return VAETransformer(2, **fixed | parameters)


def cities(n=1500):
    """A city says its country, and numbers that go with it."""
    city = RNG.integers(24, size=n)
    return pd.DataFrame(
        {
            "city": [f"city {i}" for i in city],
            "country": [f"country {i % 5}" for i in city],
            "size": np.where(city % 5 == 0, -1, RNG.integers(1, 60, n)),
            "mean": RNG.normal(size=n) + city % 5,
            "coast": RNG.random(n) < 0.1 + 0.2 * (city % 5 > 2),
        }
    )


TABLE = cities()


@pytest.fixture(scope="module")
def vae():
    return small(max_iter=25).fit(TABLE)


def agrees(rows):
    """The share of rows whose city is in its country, and whose size is -1 where it always is."""
    number = rows["city"].str.split().str[1].astype(int)
    right = number % 5 == rows["country"].str.split().str[1].astype(int)
    return np.mean(right), np.mean((rows["size"] == -1) == (number % 5 == 0))


def test_columns_that_determine_each_other_stay_together(vae):
    rows = vae.sample(3000, random_state=0)
    assert min(agrees(rows)) >= 0.995
    apart = small(max_iter=25, autoregressive=False).fit(TABLE).sample(3000, random_state=0)
    assert max(agrees(apart)) < 0.9
    np.testing.assert_allclose(
        rows.groupby("country")["mean"].mean(), TABLE.groupby("country")["mean"].mean(), atol=0.5
    )


def test_cells_are_shifted_back_to_the_shares_of_the_rows(vae):
    one, x = copy(vae), vae._encoded(TABLE)[0]
    tables = vae._model.learned()["chain"]["table"]
    away = vae._model.shifted([np.tile(2 * np.eye(1, t.shape[2]), (len(t), 1)) for t in tables])

    def furthest(model):
        one._model, columns = model, ["city", "country"]
        rows = one.sample(6000, random_state=0)[columns].stack().value_counts(normalize=True)
        real = TABLE[columns].stack().value_counts(normalize=True)
        return rows.sub(real, fill_value=0).abs().max()

    assert furthest(away) > 0.03
    assert furthest(inference.calibrated(away, x, np.random.default_rng(0))) < 0.012


@pytest.mark.parametrize("scale", [pytest.param(0.05, marks=pytest.mark.slow), 0.5])
def test_shifts_make_the_rows_of_no_cell_less_likely(scale):
    """Where noise is far from what residuals say, curvature is misjudged, and steps go too far."""
    x = RNG.normal(size=400)
    X = np.stack([x, x + 0.02 * RNG.normal(size=400), -x, np.ones(400)], axis=1)
    vae, rng = small(likelihood=likelihoods.Gaussian(scale=scale)).fit(X), np.random.default_rng(0)
    tables, rows = vae._model.learned()["chain"]["table"], vae._encoded(X)[0]
    away = vae._model.shifted([np.full(table[:, 0].shape, 0.05) for table in tables])
    some, noise = rows.take(rng.permutation(400)), rng.standard_normal((1, 400, 2), np.float32)
    z = inference.posterior_sample(away, some, noise)[0]
    shifted = inference.calibrated(away, rows, np.random.default_rng(0))
    (before,), (after,) = (_calibrate._sums(model, some, z) for model in (away, shifted))
    assert (after.log_lik >= before.log_lik).all()
    assert after.log_lik.sum() > before.log_lik.sum()


@pytest.mark.filterwarnings("ignore:Columns that may want another look")  # as it is meant to
@pytest.mark.slow
def test_labels_of_a_wide_column_are_shifted_back_too():
    codes = np.append(np.arange(_calibrate.WIDEST + 44), np.zeros(150, int))
    table = pd.DataFrame({"city": [f"city {i}" for i in codes]})
    vae, rng = small(max_iter=10).fit(table), np.random.default_rng(0)
    (numbers,) = vae._model.learned()["chain"]["table"]
    away = vae._model.shifted([np.eye(1, numbers.shape[2])])
    shares = []
    for model in (away, inference.calibrated(away, vae._encoded(table)[0], rng)):
        vae._model = model
        shares.append(np.mean(vae.sample(4000, random_state=0)["city"] == "city 0"))
    assert abs(shares[1] - np.mean(codes == 0)) < 0.05 < shares[0] - shares[1]


@pytest.mark.slow
def test_sparse_rows_are_shifted_as_dense_ones():
    X = RNG.poisson(0.5, size=(200, 3)) * 1.0
    vae, tables = small(likelihood="poisson").fit(X), []
    for own in (X, csr_array(X)):
        rng = np.random.default_rng(0)
        shifted = inference.calibrated(vae._model, vae._encoded(own)[0], rng)
        tables.append(shifted.learned()["chain"]["table"][0])
    np.testing.assert_allclose(*tables, atol=1e-5)
    assert np.abs(tables[0] - vae._model.learned()["chain"]["table"][0]).max() > 1e-4


def test_codes_and_restored_rows_are_those_of_the_first_stage():
    plain, chained = (small(autoregressive=on).fit(TABLE) for on in (False, True))
    np.testing.assert_array_equal(chained.transform(TABLE), plain.transform(TABLE))
    codes = plain.transform(TABLE)
    pd.testing.assert_frame_equal(chained.inverse_transform(codes), plain.inverse_transform(codes))
    for name in ("encoder_", "decoder_"):
        ours, theirs = (getattr(one, name).get_weights() for one in (chained, plain))
        assert all(map(np.array_equal, ours, theirs))
    np.testing.assert_array_equal(chained.history_["loss"], plain.history_["loss"])


def test_the_same_seed_gives_the_same_bits(vae):
    again = pickle.loads(pickle.dumps(small(max_iter=25).fit(TABLE)))
    np.testing.assert_array_equal(again.score_samples(TABLE), vae.score_samples(TABLE))
    pd.testing.assert_frame_equal(again.sample(50, random_state=1), vae.sample(50, random_state=1))


def test_scores_are_densities_of_the_rows_that_are_drawn():
    x = RNG.integers(3, size=600)
    table = pd.DataFrame({"x": x.astype(str), "y": (x + RNG.integers(2, size=600)).astype(str)})
    vae = small(max_iter=10).fit(table)
    all_rows = pd.MultiIndex.from_product([list("012"), list("0123")], names=["x", "y"])
    p = np.exp(vae.score_samples(all_rows.to_frame(index=False), n_draws=2000))
    assert p.sum() == pytest.approx((1 - 1 / 601) ** 2, abs=0.01)  # the rest is for other labels
    drawn = vae.sample(40_000, random_state=0).value_counts(normalize=True)
    np.testing.assert_allclose(drawn.reindex(all_rows, fill_value=0.0), p, atol=0.012)
    # rows with a hole have the sum over what may be there
    given = pd.DataFrame({"x": list("012"), "y": [None] * 3})
    np.testing.assert_allclose(
        np.exp(vae.score_samples(given, n_draws=2000)), p.reshape(3, 4).sum(axis=1), atol=0.01
    )


def test_scores_are_in_the_units_of_X(vae):
    larger = TABLE.assign(mean=1000 * TABLE["mean"])
    wide = small(max_iter=25).fit(larger)
    assert wide.score(larger) == pytest.approx(vae.score(TABLE) - np.log(1000), abs=0.05)


def test_conditions_are_met_by_all_other_columns(vae):
    for given in ({"country": "country 2"}, {"size": -1}, {"country": "country 0", "coast": True}):
        rows = vae.sample(800, random_state=0, given=given)
        assert all((rows[name] == value).all() for name, value in given.items())
        assert min(agrees(rows)) >= 0.95
    free = vae.sample(30_000, random_state=1)
    accepted = free[free["country"] == "country 2"]
    drawn = vae.sample(len(accepted), random_state=2, given={"country": "country 2"})
    for name in ("city", "coast"):
        shares = [rows[name].value_counts(normalize=True) for rows in (accepted, drawn)]
        assert abs(shares[0].sub(shares[1], fill_value=0.0)).sum() / 2 < 0.04
    assert drawn["mean"].mean() == pytest.approx(accepted["mean"].mean(), abs=0.08)


def test_rows_rest_on_no_more_latent_points_than_agree_with_a_condition(vae, monkeypatch):
    weighed = _condition._weighed

    def few_agree(*arguments):
        draws = weighed(*arguments)
        return draws._replace(log_w=np.where(np.arange(len(draws.z)) % 1000, -50.0, 0.0))

    monkeypatch.setattr(_condition, "_weighed", few_agree)
    monkeypatch.setattr(_condition, "MOST", 2**13)
    with pytest.warns(UserWarning, match="far from what the model knows"):
        vae.sample(50, given={"city": "city 1"})


def test_holes_are_filled_by_what_the_other_columns_say(vae):
    holed = TABLE[:300].copy()
    for name, rows in (
        ("country", range(100)),
        ("city", range(100, 200)),
        ("mean", range(200, 300)),
    ):
        holed.loc[rows, name] = None
    filled = vae.impute(holed)
    assert (filled["country"][:100] == TABLE["country"][:100]).all()
    assert min(agrees(filled)) >= 0.99
    assert ((filled["mean"] - TABLE["mean"])[200:300] ** 2).mean() < 1.6  # its variance is 1
    drawn = vae.impute(holed, draw=True, random_state=0)
    assert min(agrees(drawn)) >= 0.99
    some = [250, 120, 3]
    pd.testing.assert_frame_equal(vae.impute(holed.iloc[some]), filled.iloc[some])
    np.testing.assert_array_equal(
        vae.score_samples(holed.iloc[some]), vae.score_samples(holed)[some]
    )


@pytest.mark.parametrize("few", [0.25, 0.0])
def test_the_score_of_a_row_with_a_hole_sums_over_what_may_be_there(vae, few, monkeypatch):
    monkeypatch.setattr(_proposals, "FEW", few)  # where to look for z is found in either way
    rows = TABLE[:40]
    each = [rows.assign(country=f"country {i}") for i in range(5)]
    total = logsumexp([vae.score_samples(filled, n_draws=1024) for filled in each], axis=0)
    holed = vae.score_samples(rows.assign(country=None), n_draws=1024)
    np.testing.assert_allclose(holed, total, atol=0.3)
    assert holed.mean() == pytest.approx(total.mean(), abs=0.05)


SUPPORTED = {
    "categorical": RNG.integers(4, size=(120, 3)).astype(str),
    "ordinal": RNG.integers(4, size=(120, 3)),
    "bernoulli": RNG.random((120, 3)) < 0.4,
    "beta": RNG.random((120, 3)),
    "continuous_bernoulli": RNG.random((120, 3)),
    "lognormal": np.exp(RNG.normal(size=(120, 3))),
    "poisson": RNG.poisson(3, size=(120, 3)),
    "negative_binomial": RNG.poisson(3, size=(120, 3)),
    "zero_inflated": RNG.poisson(1, size=(120, 3)),
}


QUICK = {"gaussian", "histogram"}
EVERY = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
    for name in [*known(Likelihood, likelihoods), "auto"]
]


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_what_a_row_with_holes_scores_and_gets_does_not_depend_on_the_others(vae, share):
    rows = TABLE.head(60).mask(np.random.default_rng(0).random((60, 5)) < share)
    scores, filled = vae.score_samples(rows), vae.impute(rows)
    np.testing.assert_array_equal(vae.score_samples(rows[::-1])[::-1], scores)
    np.testing.assert_array_equal(vae.score_samples(rows[7:8]), scores[7:8])
    pd.testing.assert_frame_equal(vae.impute(rows[::-1])[::-1], filled)


@pytest.mark.slow
def test_holes_in_a_column_of_one_value_alone_are_filled_with_it():
    rows = np.hstack([RNG.normal(size=(60, 2)), np.ones((60, 1))])
    vae = small().fit(rows)
    holed = rows.copy()
    holed[3:5, 2] = holed[4, 0] = np.nan
    filled = vae.impute(holed)
    assert (filled[:, 2] == 1).all()
    assert np.isfinite(filled[4, 0])


@pytest.mark.parametrize("name", EVERY)
def test_every_likelihood_trains_draws_scores_and_fills(name):
    X = SUPPORTED.get(name, RNG.normal(size=(120, 3)))
    vae = small(max_iter=2, likelihood=name).fit(X)
    assert np.isfinite(vae.score_samples(X)).all()
    assert vae.sample(20, random_state=0).shape == (20, 3)
    holed = np.asarray(X, object)
    holed[::7, 1] = None
    filled = vae.impute(pd.DataFrame(holed).convert_dtypes() if name == "bernoulli" else holed)
    assert not pd.isna(np.asarray(filled)).any()
    assert np.isfinite(vae.score_samples(pd.DataFrame(filled, columns=None).to_numpy()[:5])).all()


def test_a_fit_goes_on_from_any_state_of_either_stage_to_the_same_bits():
    plan = _fitting.planned(small(), TABLE)
    seen = [pickle.dumps(state) for _, state in _fitting.stages(plan, plan.start)]
    whole = _fitting.learned(plan, pickle.loads(seen[-1]))
    stage = [pickle.loads(dumped).before is not None for dumped in seen]
    assert sum(stage) == 4  # where it begins, and three epochs
    for place in (stage.index(True) - 2, stage.index(True), len(seen) - 2):
        again = _fitting.planned(small(), TABLE)
        *_, (_, last) = _fitting.stages(again, pickle.loads(seen[place]))
        other = _fitting.learned(again, last)
        np.testing.assert_array_equal(other["_model"].weights, whole["_model"].weights)
        assert other["lower_bound_"] == whole["lower_bound_"]
    fit = small().fit(TABLE)
    np.testing.assert_array_equal(fit._model.weights, whole["_model"].weights)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_an_interrupt_of_the_second_stage_leaves_a_whole_model(calls, monkeypatch):
    def interrupted(task, state):
        begun = _loop.states(task, state)
        for _ in range(calls if state.before else 10**6):
            yield next(begun)
        if state.before:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "states", lambda *args: guarded(interrupted(*args)))
    vae = small()
    with pytest.raises(KeyboardInterrupt):
        vae.fit(TABLE)
    rows = vae.sample(1000, random_state=0)
    assert agrees(rows)[0] > 0.98  # cells start from tables of pairs
    assert np.isfinite(vae.score(TABLE))


def guarded(states):
    """The states; an end of a generator within another would be an error."""
    try:
        yield from states
    except RuntimeError:
        return


def test_a_fit_goes_on_under_warm_start_from_the_first_stage():
    vae = small(warm_start=True, prior="mixture").fit(TABLE)
    before = vae.transform(TABLE)
    vae.fit(TABLE)
    assert vae.n_iter_ == 6
    assert (vae.transform(TABLE) != before).any()
    assert agrees(vae.sample(500, random_state=0))[0] > 0.98
    assert vae.set_params(autoregressive=False).fit(TABLE).n_iter_ == 9
    assert vae._model.network.chain is None


@pytest.mark.slow
def test_a_prior_is_fitted_to_the_points_unless_held_out_rows_lose_by_that():
    X = np.concatenate([RNG.normal(size=(600, 3)) - 8, RNG.normal(size=(600, 3)) + 8])
    vae = small(max_iter=30, beta=0.1, likelihood="gaussian").fit(X)
    assert type(vae.prior_).__name__ == "Fitted"
    few = vae.set_params(max_iter=60, prior=Mixture(2)).fit(X[::8])  # enough for one Gaussian
    assert type(few.prior_).__name__ == "Mixture"


def own(n_inputs, n_outputs):
    return keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(n_outputs)])


COUNTS = RNG.poisson(0.5, size=(200, 5)).astype(float)
INPUTS = {
    "sparse": (csr_array(COUNTS), {"likelihood": "poisson"}),
    "own networks": (COUNTS, {"encoder": own, "decoder": own}),
    "iwae": (COUNTS, {"objective": "iwae", "n_draws": 2, "posterior": "flow"}),
    "one column": (COUNTS[:, :1], {}),
    "one row": (COUNTS[:1], {}),
    "a constant column": (np.hstack([COUNTS, np.ones((200, 1))]), {}),
    "nothing but holes": (np.hstack([COUNTS, np.full((200, 1), np.nan)]), {}),
    "early_stopping=False": (COUNTS, {"early_stopping": False}),
    "a start from an embedding": (COUNTS, {"init": "pca"}),
}


OFTEN = {"sparse", "own networks", "a constant column"}


@pytest.mark.parametrize(
    "name",
    [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in INPUTS],
)
def test_it_goes_with(name):
    X, parameters = INPUTS[name]
    vae = small(max_iter=1, **parameters).fit(X)
    assert np.isfinite(vae.score_samples(X)).all()
    assert vae.sample(7, random_state=0).shape == (7, X.shape[1])


def test_too_many_columns_are_refused():
    with pytest.raises(ValueError, match=r"^autoregressive=True with 1101 columns, "):
        small().fit(np.zeros((3, 1101)))


def test_progress_is_told_of_both_stages(capsys):
    small(verbose=1).fit(TABLE)
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["epoch"] * 3 + ["cells,"] * 3
    assert lines[-1].startswith("cells, epoch 3 of 3: loss ")
    assert last == "Training stopped at cells, epoch 3 of 3: max_iter epochs are done."


def test_pairs_of_fewer_rows_than_min_count_are_not_kept():
    codes = np.repeat([[0, 0], [1, 1], [2, 2]], [50, 50, 3], axis=0).astype(np.float32)
    many, few = (
        _relations.relations(Dense(codes), np.array([3, 3]), fewest, RNG)[0][0].log_probs
        for fewest in (1, 5)
    )
    assert np.exp(many[2, 2]) > 0.9
    np.testing.assert_allclose(np.exp(few[2]), np.exp(few).mean(axis=0), atol=0.3)


def test_relations_are_found_among_noise_and_not_in_it():
    codes = RNG.integers(12, size=(4000, 6)).astype(np.float32)
    codes[:, 1] = codes[:, 0] % 3
    codes[:, 2] = np.where(RNG.random(4000) < 0.7, codes[:, 3], codes[:, 2])
    found = _relations.relations(Dense(codes), np.array([12, 3, 12, 12, 12, 12]), 1, RNG)
    assert [[relation.parent for relation in own] for own in found] == [[1], [0], [3], [2], [], []]
    gain = np.log(3)
    assert found[0][0].gain == pytest.approx(gain, abs=0.02)
    assert found[1][0].gain == pytest.approx(gain, abs=0.02)


KINDS = [
    (kind(), Size(3, padded(12) if kind.has_slots else 0))
    for kind in known(Likelihood, likelihoods).values()
]


@pytest.mark.parametrize(("kind", "size"), KINDS, ids=lambda value: str(value))
def test_numbers_of_cells_lie_as_they_are_taken_apart(kind, size):
    """Raw numbers of one cell change the log-probability of no other."""
    slots = 4 if kind.has_slots else 0
    x = RNG.integers(1, 4, size=(40, 3)).astype(np.float32)
    x = x / 5 if kind.supports(np.array([0.3])).all() and not kind.has_slots else x
    columns = [Column(slots, np.arange(slots, dtype=float) if slots else None)] * 3
    w = {**kind.init(size), **kind.constants(Dense(x) if kind.has_slots else x, columns)}
    runs = Runs.of(kind.n_raw, size)
    spans = Chain.of(2, Joint((kind,), (size,)), columns).spans[0]
    base = [np.zeros((span.n_cells, 1, 40, runs.width(span.slots)), np.float32) for span in spans]
    before = np.asarray(kind.log_prob(w, x, runs.together(base, spans)))[0]
    for cell in range(3):
        changed = [block.copy() for block in base]
        changed[0][cell] += RNG.normal(size=changed[0][cell].shape)
        after = np.asarray(kind.log_prob(w, x, runs.together(changed, spans)))[0]
        moved = (after != before).any(axis=0)
        assert moved.tolist() == [i == cell for i in range(3)]


def with_holes(table):
    """Cells that are missing together, and where other cells say so."""
    table, rng = table.copy(), np.random.default_rng(1)
    alike = (table["country"] == "country 1") | (rng.random(len(table)) < 0.05)
    table.loc[alike, "mean"] = np.nan
    table["size"] = table["size"].astype("Int64")
    table.loc[alike & (rng.random(len(table)) < 0.8), "size"] = None
    return table


HOLED = with_holes(TABLE)


@pytest.fixture(scope="module")
def holed():
    return small(max_iter=25, min_count=10).fit(HOLED)


def test_cells_are_missing_where_they_were_and_together(holed):
    rows = holed.sample(5000, random_state=0, missing=True)
    assert (rows.dtypes == HOLED.dtypes).all()
    np.testing.assert_allclose(rows.isna().mean(), HOLED.isna().mean(), atol=0.04)
    for table in (rows, HOLED):
        holes = table["mean"].isna()
        assert holes[table["country"] == "country 1"].mean() > 0.9
        assert holes[table["country"] != "country 1"].mean() < 0.12
        assert table["size"].isna()[holes].mean() == pytest.approx(0.8, abs=0.06)
        assert not table["size"].isna()[~holes].any()
    assert not holed.sample(500, random_state=0).isna().any(axis=None)


def test_patterns_of_missing_cells_of_fewer_rows_are_not_drawn():
    rare = HOLED.copy()
    rare.loc[:3, ["city", "country"]] = None
    seen = small(max_iter=2, min_count=10).fit(rare).sample(4000, random_state=0, missing=True)
    assert {*map(tuple, seen.isna().to_numpy())} <= {*map(tuple, HOLED.isna().to_numpy())}


def test_given_cells_are_never_missing(holed):
    rows = holed.sample(
        300, random_state=0, given={"mean": 1.0, "country": "country 1"}, missing=True
    )
    assert (rows["mean"] == 1.0).all()
    assert rows["size"].isna().mean() > 0.3  # as it is where the mean is missing


@pytest.mark.slow
def test_holes_at_random_leave_the_scores_of_complete_rows(vae):
    whole = TABLE.convert_dtypes()
    few = whole.mask(np.random.default_rng(2).random(TABLE.shape) < 0.05)
    scores = [small(max_iter=25).fit(table).score(whole) for table in (whole, few)]
    assert scores[1] > scores[0] - 0.3


def test_missing_cells_take_a_second_stage():
    with pytest.raises(ValueError, match=r"^missing=True, but this model has not learned"):
        small(autoregressive=False).fit(HOLED).sample(5, missing=True)
    assert not small(max_iter=1).fit(TABLE).sample(50, missing=True).isna().any(axis=None)
