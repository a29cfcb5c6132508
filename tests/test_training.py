import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy.stats import chisquare
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import (
    VAETransformer,
    _plan,
    inference,
    likelihoods,
    objectives,
    posteriors,
    priors,
    schedules,
)
from skvae._plan import planned
from skvae.engine import Rates, Recipe, State, _gradient, _program, _random, _training
from skvae.engine._optimizer import adam
from skvae.likelihoods._base import Column, Size
from skvae.model import Joint, Network, dense
from skvae.table import Dense, checked
from skvae.training import Pace, Watch, untrained

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 5)) + 0.3 * RNG.normal(size=(300, 5))


def small(**parameters):
    return VAETransformer(
        **{"hidden_layer_sizes": 16, "max_iter": 30, "random_state": 0, **parameters}
    )


def traces():
    """How often anything was traced: each miss of a cache traces once, and nothing else does."""
    caches = _training.trainer, _program.compiled
    return tuple(cache.cache_info().misses for cache in caches)


def test_a_second_fit_of_the_same_architecture_traces_nothing():
    small(dropout=0.1, batch_size=17).fit(X).score(X)
    before = traces()
    vae = small(
        dropout=0.3,
        beta=2.0,
        learning_rate=0.01,
        batch_size=17,
        max_iter=7,
        n_iter_no_change=3,
        random_state=1,
    )
    vae.fit(X[:211] * 7).score(X[:50])
    assert traces() == before


def test_a_second_start_from_an_embedding_traces_nothing(short_start):
    small(init="pca").fit(X)
    before = traces()
    small(init="pca", random_state=1).fit(X[:100])
    assert traces() == before


@pytest.mark.parametrize("n_steps", range(1, 100))
def test_xla_meets_few_chunk_lengths(n_steps):
    network = small(max_iter=1).fit(X)._model.network
    length = _training.chunk_length(network, n_steps, batch_size=32, n_draws=1)
    assert length in {1, 2, 4, 8, 16, 32}
    assert length < 2 * n_steps


def network_of(n_cells, units):
    likelihood = Joint((likelihoods.Gaussian(),), (Size(n_cells),))
    parts = {
        "prior": priors.Normal(),
        "posterior": posteriors.Gaussian(),
        "objective": objectives.ELBO(),
    }
    return Network.of(2, (dense((units,), "relu"),) * 2, likelihood, **parts)


def test_chunks_of_wide_tables_stay_small():
    network = network_of(5000, 512)
    assert (
        _training.chunk_length(network, 1000, batch_size=128, n_draws=50) * 128 * (5000 + 51 * 512)
        < 2**24
    )
    assert _training.chunk_length(network, 1000, batch_size=10**6, n_draws=50) == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_fits():
    code = """
import gc, mmap, numpy as np
from skvae import VAETransformer
X = np.random.default_rng(0).normal(size=(200, 5))
def resident():
    gc.collect()
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * mmap.PAGESIZE
for i in range(100):
    VAETransformer(max_iter=3, random_state=i).fit(X).score(X)
    if i == 19:
        before = resident()
print((resident() - before) / 2**20)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert float(result.stdout) < 40  # of 80 fits; the programs of one take 16


def stepped(xla, dropout, seed=(1, 2), batch_size=32):
    """Weights and slots after five steps."""
    network, rows, rng = network_of(5, 16), X.astype(np.float32), np.random.default_rng(0)
    model = untrained(network, Dense(rows), [Column()] * 5, np.ones(5), rng)
    order = rng.integers(0, 300, (2, 3, 32)).astype(np.int32)
    recipe = Recipe(Network.losses, adam, 2, drops=True, hides=True, sparse=False, xla=xla)
    program = _training.trainer(model.architecture, recipe, batch_size)
    state = State(model.weights, program.steps.start(model.weights))
    place, seed = np.array([0, 5], np.int32), np.array(seed, np.int32)
    rates, sums = Rates(dropout, 0.3, 0.01, np.ones(2, np.float32)), np.zeros(3, np.float32)
    state, _ = program.chunks(state, sums, (model.constants, rows), order, place, seed, rates)
    assert int(state.slots[-1]) == 5
    return [array.numpy() for array in tf.nest.flatten(state)]


def test_xla_and_plain_programs_take_the_same_steps():
    for plain, fused in zip(stepped(False, 0.0), stepped(True, 0.0), strict=True):
        np.testing.assert_allclose(plain, fused, rtol=1e-3, atol=1e-4)


def test_a_program_for_batches_of_any_size_takes_the_same_steps():
    for known, unknown in zip(
        stepped(False, 0.5), stepped(False, 0.5, batch_size=None), strict=True
    ):
        np.testing.assert_allclose(known, unknown, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("xla", [False, True])
def test_dropout_follows_the_seed(xla):
    weights, again, other, without = (
        stepped(xla, dropout, seed)[0]
        for dropout, seed in ((0.5, (1, 2)), (0.5, (1, 2)), (0.5, (3, 4)), (0.0, (1, 2)))
    )
    np.testing.assert_array_equal(weights, again)
    assert min(abs(weights - other).max(), abs(weights - without).max()) > 1e-3


@pytest.mark.parametrize("xla", [True, False])
def test_gradients_are_shortened_but_not_turned(xla):
    gradients = [
        tf.random.stateless_normal(shape, [0, 1]) for shape in ([1], [37], [6, 70], [256, 40])
    ]
    norm = float(np.linalg.norm(np.concatenate([np.ravel(gradient) for gradient in gradients])))
    for largest, factor in ((norm / 5, 0.2), (2 * norm, 1.0)):
        shortened = _gradient.clipped(gradients, largest, xla)
        for gradient, clipped in zip(gradients, shortened, strict=True):
            np.testing.assert_allclose(clipped, factor * gradient, rtol=1e-5)


SEEDS = tf.constant([[1, 2], [3, 4]])
HASHED = tf.function(_random.hashed_bits, jit_compile=True)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate, xla):
    shapes = [(1000, 101), (1000, 101)]
    if xla:
        bits = HASHED(0, shapes, SEEDS)
    else:
        bits = tf.reshape(_random.random_bits(1, 2 * 1000 * 101, SEEDS[0]), (2, 1000, 101))
    step = _random.Step([_random.factors(own, rate) for own in tf.unstack(bits)])
    for _ in range(2):
        kept = step.drop(tf.ones((1000, 101))).numpy()
        assert (kept == 0).mean() == pytest.approx(rate, abs=0.01)
        assert kept.mean() == pytest.approx(1, abs=0.05)


def test_hashed_bits_of_rows_units_layers_and_steps_do_not_resemble_each_other():
    steps = [np.stack(HASHED(i, [(512, 64), (512, 64)], SEEDS)).astype(float) for i in (0, 1)]
    first = steps[0][0]
    others = [steps[0][1], steps[1][0], np.roll(first, 1, axis=0), np.roll(first, 1, axis=1)]
    correlations = [np.corrcoef(first.ravel(), other.ravel())[0, 1] for other in others]
    assert np.abs(correlations).max() < 5 / first.size**0.5
    assert chisquare(np.bincount((first // 256).astype(int).ravel(), minlength=256)).pvalue > 1e-3


def pace_of(epochs, parts=1):
    return Pace.of(1.0, schedules.Constant(), epochs, parts)


@pytest.mark.parametrize("parts", [1, 4])
def test_the_learning_rate_is_kept_and_then_falls_to_zero(parts):
    pace = pace_of(100 // parts, parts)
    rates = [pace.rate(part) for part in range(pace.end)]
    assert rates[:80] == [1.0] * 80
    assert (np.diff(rates[79:]) < 0).all()
    assert 0 < rates[-1] < 0.06
    assert not pace.stalled


def test_the_learning_rate_falls_early_where_the_loss_stalls():
    pace = pace_of(100).falling_from(40)
    assert pace.stalled
    assert pace.end == 50
    assert pace.rate(39) == 1.0
    assert pace.rate(49) < 0.1
    assert pace.falling_from(45) == pace


def watched(losses, **parameters):
    """A watch after some epochs, and whether it had stalled after each."""
    watch, stalls = Watch(**{"patience": 3, "tol": 0.0, "first": 0, **parameters}), []
    for epoch, loss in enumerate(losses):
        watch = watch.seen(epoch, np.atleast_1d(loss), state=epoch)
        stalls.append(watch.stalls)
    return watch, stalls


def test_gains_within_their_standard_error_do_not_count():
    noise = [np.random.default_rng(i).normal(size=50) for i in range(20)]
    assert any(watched(noise)[1][:10])
    assert not any(watched([noise[0] - 0.1 * epoch for epoch in range(20)])[1])


def test_epochs_before_the_warm_up_ends_are_never_best():
    assert watched([0.0, 0.0, 5.0, 4.0, 6.0], first=2)[0].best == 3


def test_a_row_that_is_impossible_for_a_while_ends_nothing_and_is_best_avoided():
    rows = np.linspace(1.0, 2.0, 30)
    losses = [rows - 0.1 * epoch for epoch in range(10)]
    for epoch in (1, 2, 9):
        losses[epoch][7] = np.inf
    watch, stalls = watched(losses)
    assert watch.best == 8
    assert not any(stalls)


def test_early_stopping_restores_the_best_weights():
    noise = np.random.default_rng(0).normal(
        size=(150, 20)
    )  # nothing to learn: the loss of held-out rows rises
    vae = small(
        hidden_layer_sizes=128, learning_rate=0.01, beta=0.1, max_iter=200, n_iter_no_change=20
    ).fit(noise)
    losses = vae.history_["validation_loss"]
    assert len(losses) == vae.n_iter_ < 200
    held_out = noise[planned(vae, noise).data.held_rows]
    x, offset, *_ = vae._codec.encode(checked(vae, held_out, reset=False))
    bound, kl = inference.lower_bound(vae._model, x, n_draws=128)
    restored = 0.1 * kl.sum() - (bound + kl.sum()) - offset.mean()
    lowest = losses[49:].min()  # the KL term has come in
    assert abs(restored - lowest) < 0.2 * (losses[-1] - lowest)


def test_without_early_stopping_every_row_trains_for_every_epoch():
    vae = small(early_stopping=False).fit(X)
    assert vae.n_iter_ == 30
    np.testing.assert_array_equal(vae.history_["loss"], vae.history_["validation_loss"])


def test_tables_too_small_for_validation_are_judged_by_the_training_loss():
    vae = small().fit(X[:20])
    np.testing.assert_array_equal(vae.history_["loss"], vae.history_["validation_loss"])


def test_the_kl_term_comes_in_linearly_and_ends_at_beta():
    beta = small(beta=1.5, max_iter=40, early_stopping=False).fit(X).history_["beta"]
    assert beta[0] == pytest.approx(0.15)
    assert (np.diff(beta[:10]) > 0).all()
    assert (beta[10:] == 1.5).all()


@pytest.mark.parametrize(
    ("max_iter", "n_steps", "epochs"),
    [(1000, 1, 50), (100, 10, 25), (1000, 500, 10), (2, 20_000, 0.25), (10**9, 10, 50)],
)
def test_warm_up_is_bounded_in_epochs_and_steps(max_iter, n_steps, epochs):
    parts = -(-n_steps // 1000)
    schedule = _plan._schedule(small(max_iter=max_iter), 0, n_steps)
    pace = Pace.of(1.0, schedule, max_iter, parts)
    assert pace.settled == int(np.ceil(epochs * parts)) - 1
    assert pace.beta(pace.settled) == 1
    assert pace.settled == 0 or pace.beta(pace.settled - 1) < 1
    again = Pace.of(1.0, _plan._schedule(small(max_iter=max_iter), 7, n_steps), max_iter, parts)
    assert again.beta(0) == 1


def test_a_validation_share_that_leaves_no_rows_is_refused():
    with pytest.raises(
        ValueError, match=r"validation_fraction=0.95 of 15 rows leaves none to train on; lower it"
    ):
        small(validation_fraction=0.95).fit(X[:15])


def test_the_summary_looks_at_rows_from_everywhere_in_the_table():
    wide_last = np.concatenate([0.01 * X, 0.01 * X, X]).repeat(8, axis=0)
    vae = small(early_stopping=False, max_iter=3).fit(wide_last)
    assert vae.lower_bound_ == pytest.approx(
        vae.score_samples(wide_last, n_draws=1).mean(), abs=0.3
    )


def test_curves_are_in_the_units_of_x():
    one, thousand = (small(max_iter=5).fit(X * scale) for scale in (1, 1000))
    for name, sign in {"loss": 1, "log_likelihood": -1, "kl": 0, "validation_loss": 1}.items():
        difference = thousand.history_[name] - one.history_[name]
        np.testing.assert_allclose(difference, sign * 5 * np.log(1000), atol=1e-3)


def test_training_raises_the_bound():
    loss = small(early_stopping=False).fit(X).history_["loss"]
    assert loss[-1] < loss[0] - 1


@pytest.mark.filterwarnings("ignore:The latent points carry")  # so they shall, at 10
def test_larger_beta_brings_the_posterior_closer_to_the_prior():
    kls = [
        small(beta=beta, learning_rate=0.01, max_iter=60).fit(X).latent_kl_.sum()
        for beta in (0.1, 1.0, 10.0)
    ]
    assert kls[0] > kls[1] + 0.5 > kls[2] + 1


def test_more_draws_of_z_still_learn():
    assert small(n_draws=5).fit(X).score(X) > small().fit(X).score(X) - 0.5


def test_warm_start_goes_on_where_the_last_fit_ended():
    vae = small(warm_start=True, early_stopping=False, max_iter=10).fit(X)
    steps, table, bound = int(vae._slots[1][-1]), vae._codec, vae.lower_bound_
    vae.fit(X * 1.1)
    assert vae.n_iter_ == 20
    assert len(vae.history_["loss"]) == 20
    assert int(vae._slots[1][-1]) == 2 * steps
    assert vae._codec is table  # the scaling of the first rows
    assert (vae.history_["beta"][10:] == 1).all()
    assert vae.fit(X).lower_bound_ > bound


def test_warm_start_refuses_another_schema_or_architecture():
    vae = small(warm_start=True, max_iter=2).fit(X)
    with pytest.raises(ValueError, match="X has 4 features, but VAETransformer is expecting 5"):
        vae.fit(X[:, :4])
    with pytest.raises(ValueError, match="its architecture or its likelihoods"):
        vae.set_params(latent_dim=3).fit(X)
    with pytest.raises(ValueError, match="its likelihoods differ"):
        vae.set_params(latent_dim=2, likelihood=likelihoods.Gaussian(scale="cell")).fit(X)
    vae.set_params(likelihood="auto")
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    of_frame = small(warm_start=True, max_iter=1).fit(frame)
    with pytest.raises(ValueError, match="Column 'b' held numbers in fit, but now has 'text'"):
        of_frame.fit(frame.assign(b="text"))
    constant = np.column_stack([X[:, :4], np.ones(300)])
    vae.set_params(warm_start=False).fit(constant).set_params(warm_start=True)
    with pytest.raises(
        ValueError, match="Column 4 has more than the one value that the last fit saw"
    ):
        vae.fit(X)
    assert vae.set_params(warm_start=False).fit(X[:, :4]).n_iter_ == 2


def test_a_loss_that_is_not_finite_says_what_to_change():
    with pytest.raises(ValueError, match=r"The loss became \S+ in epoch \d+ .*lower learning_rate"):
        small(learning_rate=1e30).fit(X)


@pytest.mark.filterwarnings("ignore:Columns that may want another look")  # as it is meant to
def test_ugly_tables_train_to_a_finite_bound():
    ugly = np.random.default_rng(0).standard_cauchy(size=(500, 4)) ** 3
    ugly[:, 1] = np.where(np.arange(500) == 7, 1e6, 0)
    ugly = np.column_stack([ugly, ugly[:, 0], np.repeat(ugly[:50, 2], 10)])
    vae = small(learning_rate=0.01).fit(ugly)
    assert np.isfinite(vae.history_["loss"]).all()
    assert np.isfinite(vae.score(ugly))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (7, 1), (300, 1)])
def test_one_row_and_one_column_work(shape):
    rows = np.random.default_rng(0).normal(size=shape)
    vae = small(max_iter=3).fit(rows)
    assert vae.transform(rows).shape == (shape[0], 2)
    assert vae.sample(4).shape == (4, shape[1])
    assert np.isfinite(vae.score(rows))


def test_duplicated_rows_and_columns_work():
    assert np.isfinite(small().fit(np.repeat(X[:3], 50, axis=0)).score(X[:3]))
    assert np.isfinite(small().fit(np.column_stack([X, X])).score(np.column_stack([X, X])))


def test_verbose_prints_one_line_per_so_many_epochs(capsys):
    vae = small(verbose=10).fit(X)
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"epoch {n} of 30" for n in (10, 20, 30)]
    for n, line in zip((10, 20, 30), lines, strict=True):
        told = dict(part.rsplit(" ", 1) for part in line.split(": ")[1].split(", ")[:5])
        assert float(told["loss"]) == pytest.approx(vae.history_["loss"][n - 1], rel=1e-3)
        held_out = vae.history_["validation_loss"][:n]
        assert float(told["held out"]) == pytest.approx(held_out[-1], rel=1e-3)
        assert float(told["best"]) == pytest.approx(held_out[7:].min(), rel=1e-3)
        assert told["beta"] == "1"
        assert line.endswith(" s left")
    assert last == "Training stopped at epoch 30 of 30: max_iter epochs are done."


def test_rows_of_ones_own_judge_training_and_all_others_are_trained_on():
    later = X[:40] + 5
    vae = small(max_iter=20).fit(X, X_val=later)
    expected = small(max_iter=20, early_stopping=False).fit(X)
    np.testing.assert_array_equal(vae._codec.scaling.center, expected._codec.scaling.center)
    assert vae.history_["validation_loss"][-1] > vae.history_["loss"][-1] + 1
    one = small(max_iter=20, early_stopping=False).fit(X, X_val=later)
    assert one.n_iter_ == 20
    assert one.history_["validation_loss"][-1] > one.history_["loss"][-1] + 1


def test_rows_of_ones_own_end_training_sooner_where_they_say_so():
    noise = np.random.default_rng(3).normal(size=(200, X.shape[1]))
    slow = {"max_iter": 400, "n_iter_no_change": 3, "learning_rate": 5e-4}
    n_iter = [
        small(**slow).fit(X[:50], X_val=rows).n_iter_ for rows in (noise * X.std(axis=0), X[:50])
    ]
    assert 2 * n_iter[0] < n_iter[1]


def test_frames_with_holes_judge_too_and_new_labels_are_told():
    frame = pd.DataFrame({"a": RNG.normal(size=90), "b": RNG.choice(["x", "y"], 90)})
    later = pd.DataFrame({"a": [0.1, None, 0.3] * 4, "b": ["x", "y", "z"] * 4})
    with pytest.warns(UserWarning, match="not seen in fit are treated as missing: 'z'"):
        vae = small(max_iter=3, autoregressive=True).fit(frame, X_val=later)
    assert np.isfinite(vae.score_samples(later[:2])).all()


def test_wrong_rows_that_judge_are_refused_by_name():
    with pytest.raises(ValueError, match="features") as raised:
        small().fit(X, X_val=X[:, :1])
    assert "This was X_val" in raised.value.__notes__[0]


def test_a_pipeline_prepares_the_rows_that_judge():
    with config_context(enable_metadata_routing=True):
        vae = small(max_iter=5).set_fit_request(X_val=True)
        pipe = make_pipeline(StandardScaler(), vae, transform_input=["X_val"])
        pipe.fit(X * 100, X_val=X[:40] * 100)
    scaled = StandardScaler().fit(X * 100).transform(X * 100)
    expected = small(max_iter=5).fit(scaled, X_val=scaled[:40])
    np.testing.assert_array_equal(pipe.transform(X * 100), expected.transform(scaled))


def test_both_losses_are_those_of_the_last_beta_while_it_rises():
    curves = small(beta=2.0, max_iter=40, early_stopping=False).fit(X).history_
    assert curves["beta"][0] < 1
    expected = 2 * curves["kl"] - curves["log_likelihood"]
    np.testing.assert_allclose(curves["loss"], expected, rtol=1e-4)
    np.testing.assert_array_equal(curves["loss"], curves["validation_loss"])


def test_verbose_says_why_training_stopped(capsys):
    vae = small(verbose=1000, max_iter=1000, n_iter_no_change=2, tol=0.1).fit(X)
    assert capsys.readouterr().out.splitlines() == [
        f"Training stopped at epoch {vae.n_iter_} of 1000: the held-out loss had stalled."
    ]


def test_warm_start_goes_on_with_other_rows_and_takes_new_levels_for_holes():
    def batch(n, levels):
        return pd.DataFrame(
            {"k": np.arange(300) % n, "job": np.resize(levels, 300), "x": RNG.normal(size=300)}
        )

    vae = small(warm_start=True, max_iter=2).fit(batch(90, ["a", "b"]))
    vae.fit(batch(40, ["a", "b"]))
    with pytest.warns(UserWarning, match="'z' in column 'job'"):
        vae.fit(batch(60, ["a", "b", "z"]))
    assert vae.n_iter_ == 6
    assert set(vae.sample(200)["job"]) == {"a", "b"}


def test_a_model_that_does_not_use_its_latent_points_says_so_once():
    X = RNG.normal(size=(400, 3))
    with pytest.warns(
        ConvergenceWarning, match=r"The latent points carry .* nats in all \(latent_kl_\)"
    ) as caught:
        VAETransformer(2, beta=20.0, max_iter=50, early_stopping=False, random_state=0).fit(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__
