"""A fit as a value: continued, interrupted, failed, or looked at on its way."""

import inspect
import pickle
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skvae import VAETransformer, _fitting, _plan, schedules
from skvae.engine import _training
from skvae.training import _loop, states

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 5)) + 0.3 * RNG.normal(size=(300, 5))


def small(**parameters):
    return VAETransformer(
        **{"hidden_layer_sizes": 8, "max_iter": 8, "random_state": 0, **parameters}
    )


def restless(n_inputs, n_outputs):
    """A network with moving averages and a generator of its own."""
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)]
    return keras.Sequential([*layers, keras.layers.Dense(n_outputs)])


@pytest.fixture
def in_pieces(monkeypatch):
    """A state after every chunk of 32 steps, and two parts in an epoch of more than 40."""
    monkeypatch.setattr(_loop, "PIECE", (1, np.inf))
    monkeypatch.setattr(_loop, "PART", 40)


PACKAGE = str(Path(_fitting.__file__).parent)
COUNTS = csr_array(RNG.poisson(0.4, size=(300, 6)))
FITS = {
    "adam": (X, {"dropout": 0.2}),
    "an optimizer of Keras": (X, {"optimizer": "rmsprop"}),
    "sparse": (COUNTS, {"likelihood": "poisson"}),
    "holes": (np.where(RNG.random(X.shape) < 0.1, np.nan, X), {"hide": 0.2}),
    "own networks": (X, {"encoder": restless, "decoder": restless}),
    "iwae": (X, {"objective": "iwae", "n_draws": 3, "prior": "mixture"}),
    "embedded": (X, {"init": "pca", "early_stopping": False}),
}


def same(first, second):
    """Whether two dicts of learned attributes are the same to the bit."""
    np.testing.assert_array_equal(first["_model"].weights, second["_model"].weights)
    np.testing.assert_array_equal(first["latent_kl_"], second["latent_kl_"])
    assert first["lower_bound_"] == second["lower_bound_"]
    for name, curve in first["history_"].items():
        np.testing.assert_array_equal(curve, second["history_"][name])


@pytest.mark.parametrize("name", FITS)
def test_continuing_from_a_state_gives_the_bits_of_the_uninterrupted_run(
    name, in_pieces, short_start
):
    rows, parameters = FITS[name]
    plan = _fitting.planned(small(batch_size=4, **parameters), rows)
    seen = [pickle.dumps(state) for state in states(plan.task, plan.start)]
    ends = [i for i, dumped in enumerate(seen) if pickle.loads(dumped).ends_epoch]
    whole = _fitting.learned(plan, pickle.loads(seen[-1]))
    for place in (ends[0], ends[1], ends[len(ends) // 2], ends[1] + 1, ends[-1] - 1):
        again = _fitting.planned(small(batch_size=4, **parameters), rows)
        *_, last = states(again.task, pickle.loads(seen[place]))
        same(_fitting.learned(again, last), whole)


def test_continuing_in_a_program_of_xla_gives_the_same_bits(in_pieces, monkeypatch):
    monkeypatch.setattr(_training, "XLA_PAYS", 0.0)
    plan = _fitting.planned(small(batch_size=4, dropout=0.2, max_iter=4), X)
    assert plan.task.recipe.xla
    seen = [pickle.dumps(state) for state in states(plan.task, plan.start)]
    for place in (0, 1, 5):
        *_, last = states(plan.task, pickle.loads(seen[place]))
        same(_fitting.learned(plan, last), _fitting.learned(plan, pickle.loads(seen[-1])))


def test_continuing_a_fit_that_continues_another_gives_the_same_bits(in_pieces):
    vae = small(batch_size=4, warm_start=True, max_iter=3).fit(X)
    plan = _fitting.planned(vae, X)
    seen = [pickle.dumps(state) for state in states(plan.task, plan.start)]
    *_, last = states(plan.task, pickle.loads(seen[2]))
    same(_fitting.learned(plan, last), vars(vae.fit(X)))
    assert vae.n_iter_ == 6


def test_a_state_before_anything_is_judged_can_be_looked_at_too(in_pieces):
    plan = _fitting.planned(small(batch_size=4), X)
    first = next(states(plan.task, plan.start))
    assert first.part == 1  # the shorter part has ended
    for state in (plan.start, first._replace(curves=first.curves[:0])):
        attributes = _fitting.learned(plan, state)
        assert attributes["n_iter_"] == attributes["best_iter_"] == 0
        assert np.isfinite(attributes["lower_bound_"])


def test_a_fit_is_its_last_state():
    vae = small(max_iter=3).fit(X)
    plan = _fitting.planned(small(max_iter=3), X)
    *_, last = states(plan.task, plan.start)
    same(_fitting.learned(plan, last), vars(vae))


def test_pieces_of_an_epoch_take_the_same_steps(monkeypatch):
    whole = small(batch_size=4).fit(X)
    monkeypatch.setattr(_loop, "PIECE", (1, np.inf))
    same(vars(small(batch_size=4).fit(X)), vars(whole))


def test_a_half_trained_model_is_looked_at_without_ending_the_fit():
    plan = _fitting.planned(small(max_iter=20, early_stopping=False), X)
    bounds = []
    for state in states(plan.task, plan.start):
        vae = small()
        vars(vae).update(_fitting.learned(plan, state) | plan.inputs)
        assert vae.transform(X).shape == (300, 2)
        bounds.append(vae.lower_bound_)
    assert len(bounds) == 20
    assert bounds[-1] > bounds[0] + 0.5
    assert bounds[-1] == small(max_iter=20, early_stopping=False).fit(X).lower_bound_


class FailureError(Exception):
    """That nobody expects."""


class Injected:
    """Raises at the call of the k-th function of the package, counted over a fit."""

    def __init__(self, error=None, at=None):
        self.error, self.at, self.calls = error, at, 0

    def __enter__(self):
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def trace(self, frame, event, _):
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE) or code.co_flags & inspect.CO_GENERATOR:
            return  # Python ignores what is raised where a generator is closed
        self.calls += 1
        if self.calls == self.at:
            raise self.error


def calls_of(vae, rows):
    with Injected() as counted:
        vae.fit(rows)
    return counted.calls


def check_whole(vae):
    """That all learned attributes are of one fit."""
    assert vae.n_iter_ == len(vae.history_["loss"]) >= vae.best_iter_ >= 1
    assert np.isfinite(vae.transform(X)).all()
    assert np.isfinite(vae.sample(3)).all()
    assert vae.score_samples(X, n_draws=1).mean() == pytest.approx(vae.lower_bound_, abs=0.5)


def state_of(vae):
    return {name: id(value) for name, value in vars(vae).items()}


@pytest.mark.parametrize("warm_start", [False, True], ids=["fit", "refit"])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, FailureError], ids=lambda error: error.__name__
)
def test_an_estimator_is_whole_wherever_a_fit_ends(error, warm_start, in_pieces):
    def estimator():
        vae = small(max_iter=3, batch_size=8, warm_start=warm_start)
        return vae.fit(X) if warm_start else vae

    estimator().fit(X)  # compiles
    n_calls, ends = calls_of(estimator(), X), set()
    for at in np.linspace(1, n_calls, 34 if error is KeyboardInterrupt else 12).astype(int):
        vae = estimator()
        before = state_of(vae)
        with pytest.raises(error), Injected(error("injected"), at):
            vae.fit(X)
        new = state_of(vae) != before
        ends.add(new)
        assert not (new and error is FailureError)
        if new or warm_start:
            check_whole(vae)
        else:
            with pytest.raises(NotFittedError):
                vae.transform(X)
        assert np.isfinite(vae.fit(X).score(X))
    assert ends == ({False, True} if error is KeyboardInterrupt else {False})


def interrupted_at(piece, vae, monkeypatch):
    """The error of a fit that is interrupted in a piece of steps."""
    stepped, calls = _loop._stepped, []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == piece:
            raise KeyboardInterrupt
        return stepped(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_loop, "_stepped", interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            vae.fit(X)
    return caught.value


def test_an_interrupt_keeps_the_epochs_before_and_the_part_of_one_that_is_done(
    in_pieces, monkeypatch
):
    vae = small(batch_size=4)  # 68 steps: three chunks, of which two parts are made
    error = interrupted_at(9, vae, monkeypatch)  # two epochs, and two chunks of the third
    assert vae.n_iter_ == 3
    assert (
        f"The model is that of epoch {vae.best_iter_}, the best that this fit came to."
        in error.__notes__
    )
    assert vae.history_["beta"].shape == (3,)
    check_whole(vae)


def test_an_interrupt_before_anything_is_judged_leaves_the_old_model(in_pieces, monkeypatch):
    vae = small(batch_size=4)
    interrupted_at(1, vae, monkeypatch)
    with pytest.raises(NotFittedError):
        vae.transform(X)
    before = vars(vae.fit(X)).copy()
    interrupted_at(1, vae.set_params(latent_dim=2), monkeypatch)
    assert all(vars(vae)[name] is before[name] for name in before)


@pytest.mark.parametrize("sound", [True, False], ids=["sound", "gone astray"])
def test_a_search_stops_at_an_interrupt(sound, in_pieces, monkeypatch):
    from sklearn.model_selection import GridSearchCV

    def astray(values, state, what):
        if not sound and state.chunk == 2:  # in the midst of a part
            raise ValueError("The loss became nan")

    monkeypatch.setattr(_loop, "_check_finite", astray)
    search = GridSearchCV(small(max_iter=2, batch_size=2), {"latent_dim": [1, 2]}, cv=2)
    interrupted_at(8, search, monkeypatch)


def test_long_epochs_warm_up_are_judged_in_parts_and_end_when_they_have_learned(monkeypatch):
    monkeypatch.setattr(_loop, "PART", 32)
    monkeypatch.setattr(_plan, "WARM_UP", (0.25, 50, 128))
    rows = np.resize(X, (3000, 5)) + 0.1 * RNG.normal(size=(3000, 5))
    vae = small(max_iter=40, batch_size=4, learning_rate=0.01, n_iter_no_change=2, tol=0.01)
    plan = _fitting.planned(vae, rows)
    pace = plan.start.pace
    assert pace.parts == 22  # of 675 steps
    betas = [pace.beta(part) for part in range(6)]
    assert 0 < betas[0] < betas[1] < betas[2] < betas[5] == 1.0
    vae.fit(rows)
    assert vae.n_iter_ == len(vae.history_["loss"]) < 4
    assert vae.score(rows) > small(max_iter=3, batch_size=4).fit(rows).score(rows) - 0.2


def test_curves_of_epochs_in_parts_are_means_over_their_steps(in_pieces):
    plan = _fitting.planned(small(batch_size=4, max_iter=3, early_stopping=False), X)
    *_, last = states(plan.task, plan.start)
    steps, losses = last.curves[:, 5].reshape(3, 2), last.curves[:, 0].reshape(3, 2)
    np.testing.assert_allclose(last.by_epoch()[:, 0], (steps * losses).sum(1) / steps.sum(1))
    assert steps.sum() == last.steps == 3 * 75


def test_a_fit_that_still_gains_at_max_iter_says_so_and_by_how_much():
    rows = load_wine().data
    with pytest.warns(ConvergenceWarning, match=r"still gaining, \d.* nats per row in .* epochs"):
        small(max_iter=20).fit(rows)


@pytest.mark.filterwarnings("error")
def test_a_fit_that_has_stalled_says_nothing():
    vae = small(max_iter=150, n_iter_no_change=5, learning_rate=0.01).fit(X)
    assert vae.n_iter_ < 150
    small(max_iter=3, early_stopping=False).fit(X)


def test_the_best_epoch_is_that_of_the_lowest_validation_loss():
    vae = small(max_iter=40, learning_rate=0.01).fit(X)
    settled = 9  # the KL term comes in over the first ten epochs
    losses = vae.history_["validation_loss"]
    assert vae.best_iter_ == settled + np.argmin(losses[settled:]) + 1


@pytest.mark.parametrize("beta", [1.0, schedules.LinearWarmup(5), schedules.Cyclical(3)], ids=str)
def test_no_memory_is_taken_for_epochs_that_never_come(beta):
    plan = _fitting.planned(small(max_iter=10**9, beta=beta), X)
    assert plan.start.pace.end == 10**9
    assert len(pickle.dumps(plan.start)) < 100_000


@pytest.mark.parametrize("n_draws", [1, 3, 7])
def test_rows_held_out_are_judged_by_whole_sets_of_draws(n_draws, monkeypatch):
    for most in (1, 1000):
        monkeypatch.setattr(_loop, "VALIDATION_DRAWS", most)
        task = _fitting.planned(small(n_draws=n_draws), X).task
        draws = _loop._n_judging_draws(task)
        assert draws % n_draws == 0
        assert draws == n_draws * max(1, most // (len(task.validation) * n_draws))


def test_no_more_rows_are_held_out_than_tell(monkeypatch):
    monkeypatch.setattr(_plan, "VALIDATION_ROWS", (10, 25))
    task = _fitting.planned(small(validation_fraction=0.5), X).task
    assert (len(task.rows), len(task.validation)) == (275, 25)


def test_draws_beyond_memory_are_told_before_they_are_taken():
    vae = small(max_iter=1).fit(X)
    for call in (vae.score_samples, vae.impute):
        with pytest.raises(
            ValueError, match=r"n_draws=100000000 takes .* at most \d+ are expected"
        ):
            call(X, n_draws=10**8)
    with pytest.raises(ValueError, match=r"n_draws=10000000 takes .* lower n_draws or batch_size"):
        small(n_draws=10**7).fit(X)


def test_more_latent_dimensions_than_scores_can_have_are_told():
    with pytest.raises(ValueError, match=r"'latent_dim' parameter .* in the range \[1, 21201\]"):
        small(latent_dim=10**6).fit(X)
