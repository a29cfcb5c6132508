"""Checkpoints: fits that go on after a break, to the same bits."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import keras
import numpy as np
import pandas as pd
import pytest
import skops.io

from skvae import VAEImputer, VAETransformer, schedules, trusted_types
from skvae.callbacks import Checkpoint

pytest.importorskip("sklearn.callback")  # from scikit-learn 1.9 on
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 3)), columns=list("abc"))


def small(**parameters):
    fixed = {"hidden_layer_sizes": 4, "max_iter": 8, "random_state": 0, "batch_size": 8}
    return VAETransformer(2, **fixed | parameters)


class Break:
    """Raises at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_id == self.epoch and context.parent is not None:
            raise RuntimeError("broken off")


def broken_off(path, epoch, rows=X, **parameters):
    """A file of a fit that came to the end of an epoch."""
    with pytest.raises(RuntimeError, match="broken off"):
        small(**parameters).set_callbacks(Checkpoint(path, 0), Break(epoch)).fit(rows)


class Sudden(schedules.Schedule):
    """A schedule of one's own."""

    def __init__(self, epoch=2):
        self.epoch = epoch

    def betas(self, n_epochs):
        return np.where(np.arange(n_epochs) < self.epoch, 0.5, 1.0)


def same(a, b):
    np.testing.assert_array_equal(a.transform(X), b.transform(X))
    np.testing.assert_array_equal(a.score_samples(X), b.score_samples(X))
    np.testing.assert_array_equal(a.sample(5, random_state=0), b.sample(5, random_state=0))
    for name, curve in a.history_.items():
        np.testing.assert_array_equal(curve, b.history_[name])


PARTS = [
    ({}, 3),
    ({"autoregressive": True}, 9),
    *(
        pytest.param(parts, epoch, marks=pytest.mark.slow)
        for parts, epoch in (
            ({}, 7),
            ({"autoregressive": True}, 3),
            ({"optimizer": "rmsprop", "dropout": 0.2, "hide": 0.2}, 3),
            ({"beta": Sudden(), "prior": "mixture"}, 3),
            ({"early_stopping": False, "init": "pca"}, 3),
        )
    ),
]


@pytest.mark.parametrize(("parts", "epoch"), PARTS, ids=str)
def test_a_fit_goes_on_to_the_same_bits(tmp_path, parts, epoch):
    broken_off(tmp_path / "fit", epoch, **parts)
    again = small(**parts).set_callbacks(Checkpoint(tmp_path / "fit", 0)).fit(X)
    same(again, small(**parts).fit(X))
    same(small(**parts).set_callbacks(Checkpoint(tmp_path / "fit")).fit(X), again)
    assert os.listdir(tmp_path) == ["fit"]


def test_a_fit_without_a_seed_goes_on_with_its_own(tmp_path):
    broken_off(tmp_path / "fit", 2, random_state=None)
    file = (tmp_path / "fit").read_bytes()
    found = []
    for _ in range(2):
        (tmp_path / "fit").write_bytes(file)
        found.append(small(random_state=None).set_callbacks(Checkpoint(tmp_path / "fit")).fit(X))
    same(*found)


def test_warm_start_goes_on_from_a_file_of_its_own(tmp_path):
    vae = small(warm_start=True).fit(X)
    expected = small(warm_start=True).fit(X).fit(X)
    vae.set_callbacks(Checkpoint(tmp_path / "fit"), Break(3))
    with pytest.raises(RuntimeError, match="broken off"):
        vae.fit(X)
    same(vae.set_callbacks(Checkpoint(tmp_path / "fit")).fit(X), expected)
    with pytest.raises(ValueError, match="from another model by warm_start"):
        vae.fit(X)


OTHERS = {
    "max_iter was 8 and is 9": ({"max_iter": 9}, X),
    "prior was normal and is mixture": ({"prior": "mixture"}, X),
    "random_state was 0 and is 1": ({"random_state": 1}, X),
    "of another table": ({}, X * 2),
    "of another table, or": ({}, X[:-1]),
}


@pytest.mark.parametrize(("message", "other"), OTHERS.items(), ids=OTHERS)
def test_a_fit_of_something_else_is_refused_and_the_file_left(tmp_path, message, other):
    parameters, rows = other
    broken_off(tmp_path / "fit", 2)
    before = (tmp_path / "fit").read_bytes()
    with pytest.raises(ValueError, match=message):
        small(**parameters).set_callbacks(Checkpoint(tmp_path / "fit", 0)).fit(rows)
    assert (tmp_path / "fit").read_bytes() == before


def test_what_changes_nothing_may_differ(tmp_path, capsys):
    broken_off(tmp_path / "fit", 2)
    vae = small(verbose=1).set_callbacks(Checkpoint(tmp_path / "fit", 5, "epochs")).fit(X)
    same(vae, small().fit(X))
    vae = small().set_callbacks(Checkpoint(tmp_path / "fit", 5, "epochs"))
    same(vae.fit(X[::-1]), small().fit(X))
    assert capsys.readouterr().out.startswith("epoch 4 of 8")


def test_a_damaged_file_is_refused(tmp_path):
    broken_off(tmp_path / "fit", 2)
    whole = (tmp_path / "fit").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(20):
        i = rng.integers(len(whole))
        damaged = whole[:i] if rng.random() < 0.5 else whole[:i] + b"?" * 40 + whole[i + 40 :]
        (tmp_path / "fit").write_bytes(damaged)
        try:
            vae = small().set_callbacks(Checkpoint(tmp_path / "fit")).fit(X)
        except ValueError as error:
            assert "give the same again, or delete the file" in str(error)  # noqa: PT017
        else:  # what was damaged tells nothing, such as the time of writing
            same(vae, small().fit(X))


def test_no_row_is_in_the_file(tmp_path):
    rows = X.assign(d=np.arange(120) + 1234567.25)
    broken_off(tmp_path / "fit", 2, rows)
    data = (tmp_path / "fit").read_bytes()
    for row in (3, 77):
        for array in (rows.to_numpy()[row], rows.to_numpy(np.float32)[row]):
            assert array.tobytes() not in data
            assert array[:2].tobytes() not in data


def test_it_is_kept_with_a_model_and_by_what_wraps_one(tmp_path):
    vae = small().set_callbacks(Checkpoint(tmp_path / "fit"))
    imputer = VAEImputer(vae).fit(X)
    assert (tmp_path / "fit").exists()
    trusted = [*trusted_types(), "skvae.callbacks.Checkpoint"]
    again = skops.io.loads(skops.io.dumps(imputer), trusted=trusted)
    assert repr(again.vae._skl_callbacks) == repr(vae._skl_callbacks)
    assert f"{tmp_path / 'fit'}" in repr(vae._skl_callbacks[0])


def test_a_fit_that_a_callback_stopped_is_read_and_not_gone_on_with(tmp_path):
    class Stop(Break):
        def on_fit_task_end(self, estimator, context):
            return context.task_id == self.epoch and context.parent is not None

    for parts in ({}, {"autoregressive": True}):
        path = tmp_path / f"fit{len(parts)}"
        found = [small(**parts).set_callbacks(Checkpoint(path), Stop(3)).fit(X) for _ in range(2)]
        assert [vae.n_iter_ for vae in found] == [4, 4]
        same(*found)


def test_epochs_keep_their_numbers_after_a_break(tmp_path):
    broken_off(tmp_path / "fit", 2)
    with pytest.raises(RuntimeError, match="broken off"):
        small().set_callbacks(Checkpoint(tmp_path / "fit", 0), Break(5)).fit(X)
    vae = small().set_callbacks(Checkpoint(tmp_path / "fit"), Break(1)).fit(X)
    same(vae, small().fit(X))  # the first epochs are never seen again


def test_what_was_done_is_written_before_an_error_is_raised(tmp_path):
    with pytest.raises(RuntimeError, match="broken off") as kept:
        small().set_callbacks(Checkpoint(tmp_path / "fit", 3600), Break(3)).fit(X)
    assert (tmp_path / "fit").exists()
    assert kept.traceback


SETTINGS = {
    "an optimiser": lambda rate: {"optimizer": keras.optimizers.Adam(beta_1=rate)},
    "a schedule": lambda rate: {"beta": Slow(rate)},
    "layers": lambda rate: {"encoder": Layers(rate)},
}


class Slow(schedules.Schedule):
    def __init__(self, beta=1.0):
        self.beta = beta

    def betas(self, n_epochs):
        return np.full(n_epochs, self.beta)


class Layers:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, n_in, n_out):
        layers = [keras.layers.Dropout(self.rate), keras.layers.Dense(n_out)]
        return keras.Sequential(layers)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_objects_of_ones_own_in_other_settings_are_refused(tmp_path, settings):
    broken_off(tmp_path / "fit", 2, **settings(0.5))
    with pytest.raises(ValueError, match="in other settings"):
        small(**settings(0.6)).set_callbacks(Checkpoint(tmp_path / "fit")).fit(X)
    small(**settings(0.5)).set_callbacks(Checkpoint(tmp_path / "fit")).fit(X)


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path):
    with pytest.raises(ValueError, match="in a folder that is not there"):
        small().set_callbacks(Checkpoint(tmp_path / "no" / "fit")).fit(X)


@pytest.mark.parametrize("wrong", [{"every": -1}, {"every": "5"}, {"unit": "hours"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="is expected"):
        Checkpoint("fit", **wrong)


def test_a_full_disk_leaves_the_file_whole_and_the_fit_running(tmp_path):
    broken_off(tmp_path / "fit", 2)
    before = (tmp_path / "fit").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.warns(UserWarning, match="could not write") as caught:
            vae = small().set_callbacks(Checkpoint(tmp_path / "fit", 0)).fit(X)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len([one for one in caught if "could not write" in str(one.message)]) == 1
    assert (tmp_path / "fit").read_bytes() == before
    assert os.listdir(tmp_path) == ["fit"]
    same(vae, small().fit(X))


KILLED = """
import sys
from test_callbacks import Checkpoint, X, small
small(max_iter=400, early_stopping=False).set_callbacks(Checkpoint(sys.argv[1], 0)).fit(X)
"""


@pytest.mark.slow
@pytest.mark.parametrize("n", [50])
def test_a_fit_that_is_killed_goes_on_to_the_same_bits(tmp_path, n):
    expected, rng = small(max_iter=400, early_stopping=False).fit(X), np.random.default_rng(0)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    for i in range(n):
        path = tmp_path / f"fit{i}"
        command = [sys.executable, "-c", KILLED, str(path)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            while not path.exists():
                sleep(0.01)
            sleep(rng.uniform(0, 1.5))
            process.send_signal(signal.SIGKILL)
        vae = small(max_iter=400, early_stopping=False).set_callbacks(Checkpoint(path)).fit(X)
        same(vae, expected)
