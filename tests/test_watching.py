"""scikit-learn's callbacks in fits of this package."""

import re
import threading
from time import monotonic, sleep

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae import VAEImputer, VAEOutlierDetector, VAESynthesizer, VAETransformer

callback = pytest.importorskip("sklearn.callback")  # from scikit-learn 1.9 on
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(120, 3)), columns=list("abc"))


def small(**parameters):
    parameters = {"hidden_layer_sizes": 4, "max_iter": 8, "random_state": 0} | parameters
    return VAETransformer(2, **parameters)


class Watcher:
    """Notes the tasks that it sees, and does something at the end of one of them."""

    def __init__(self, at=None, does=lambda model, rows: None):
        self.at, self.does, self.seen, self.open = at, does, [], 0

    def setup(self, estimator, context):
        self.open += 1

    def teardown(self, estimator, context):
        self.open -= 1

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.seen.append(("end", context.task_name, context.task_id))
        self.rows = X, y
        if (context.task_name, context.task_id) == self.at:
            return self.does(fitted_estimator, X)
        return None

    def names(self, how="end"):
        return [name for event, name, _ in self.seen if event == how]


class Passed(Watcher):
    """One that estimators pass on to those in them."""

    max_propagation_depth = None


def test_each_epoch_is_a_task():
    watcher = Watcher()
    vae = small().set_callbacks(watcher).fit(X)
    assert watcher.seen[0] == ("begin", "fit", 0)
    assert watcher.seen[-1] == ("end", "fit", 0)
    epochs = [(event, "epoch", i) for i in range(vae.n_iter_) for event in ("begin", "end")]
    assert watcher.seen[1:-1] == epochs
    assert watcher.open == 0


def test_the_second_stage_has_tasks_too():
    watcher = Watcher()
    vae = small(autoregressive=True).set_callbacks(watcher).fit(X)
    assert watcher.names() == [*watcher.names("begin")[1:], "fit"]
    assert watcher.names().count("epoch") == vae.n_iter_
    assert watcher.names().count("epoch of cells") > 0


def test_callbacks_get_the_rows_that_are_held_out():
    watcher = Watcher()
    small().set_callbacks(watcher).fit(X)
    rows, y = watcher.rows
    assert list(rows.columns) == list("abc")
    assert len(rows) == len(y) == 12
    small(early_stopping=False).set_callbacks(watcher).fit(X, np.arange(120))
    assert watcher.rows[0] is X
    np.testing.assert_array_equal(watcher.rows[1], np.arange(120))


def test_callbacks_change_no_bit():
    watcher = Watcher(("epoch", 3), lambda model, rows: np.isnan(model.score(rows)))
    watched = small().set_callbacks(watcher)
    np.testing.assert_array_equal(watched.fit(X).transform(X), small().fit(X).transform(X))


@pytest.mark.parametrize("parts", [{}, {"autoregressive": True}])
def test_the_model_of_an_epoch_is_that_of_a_fit_which_ends_there(parts):
    found = []
    watcher = Watcher(("epoch", 3), lambda model, rows: found.append(model) or True)
    vae = small(**parts).set_callbacks(watcher).fit(X)
    (model,) = found
    assert vae.n_iter_ == model.n_iter_ == 4
    np.testing.assert_array_equal(model.transform(X), vae.transform(X))
    np.testing.assert_array_equal(model.score_samples(X), vae.score_samples(X))
    assert watcher.names()[-2:] == ["epoch", "fit"]


def test_the_held_out_bound_is_monitored():
    monitor = callback.ScoringMonitor(scoring={"bound": lambda model, X, y: model.score(X)})
    vae = small(max_iter=30).set_callbacks(monitor).fit(X)
    bound = [row["bound"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(bound) == vae.n_iter_
    assert bound[-1] > bound[0]
    elbo = -vae.history_["validation_loss"][-1]
    assert elbo - 0.1 < bound[-1] < elbo + 0.5


def running():
    """Threads, but for those in which scikit-learn waits for messages until the next one."""
    return [thread for thread in threading.enumerate() if "_accept" not in thread.name]


def ends_with(threads):
    """Whether these threads alone are left, or within a second: bars are drawn until then."""
    until = monotonic() + 1
    while running() != threads and monotonic() < until:
        sleep(0.05)
    return running() == threads


def test_a_callback_that_raises_ends_the_fit_and_leaves_the_estimator_as_it_was():
    vae = small().fit(X)
    before, threads = vae.transform(X), running()

    def fails(model, rows):
        raise RuntimeError("no more")

    for epoch in range(8):
        watcher = Watcher(("epoch", epoch), fails)
        bars = callback.ProgressBar()
        with pytest.raises(RuntimeError, match="no more"):
            vae.set_callbacks(watcher, bars).fit(X * 2)
        assert watcher.open == 0
        assert ends_with(threads)
        np.testing.assert_array_equal(vae.transform(X), before)
    assert vae.set_callbacks().fit(X).n_iter_ == 8


def test_an_interrupt_leaves_callbacks_done():
    def interrupts(model, rows):
        raise KeyboardInterrupt

    watcher = Watcher(("epoch", 3), interrupts)
    vae = small().set_callbacks(watcher)
    with pytest.raises(KeyboardInterrupt):
        vae.fit(X)
    assert vae.n_iter_ == 4
    assert watcher.open == 0


@pytest.mark.parametrize("make", [VAEImputer, VAEOutlierDetector, VAESynthesizer])
def test_what_wraps_a_model_passes_its_callbacks_on(make):
    watcher = Passed(("epoch", 2), lambda model, rows: True)
    vae = make(small()).set_callbacks(watcher).fit(X).vae_
    assert vae.n_iter_ == 3
    assert watcher.names() == ["epoch"] * 3 + ["fit", "fit"]
    assert watcher.names("begin")[:2] == ["fit", "fit-model"]
    assert not hasattr(vae, "_skl_callbacks")


def bars(text):
    """What progress bars show in the end: their labels, and per cent."""
    return re.findall(r"^ *(.*?)[ ━]+(\d+)%", text, re.MULTILINE)


SETTINGS = {
    "alone": lambda bar: small().set_callbacks(bar),
    "in a pipeline": lambda bar: make_pipeline(StandardScaler(), small()).set_callbacks(bar),
    "in a search": lambda bar: GridSearchCV(small(), {"beta": [1, 2]}, cv=2).set_callbacks(bar),
    "in a search of two processes": lambda bar: GridSearchCV(
        small(), {"beta": [1, 2]}, cv=2, n_jobs=2
    ).set_callbacks(bar),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_progress_bars_show_epochs(setting, capfd):
    pytest.importorskip("rich")
    SETTINGS[setting](callback.ProgressBar(max_propagation_depth=None)).fit(X)
    shown = bars(capfd.readouterr().out)
    fits = [label for label, _ in shown if "VAETransformer - fit" in label]
    assert len(fits) == (5 if "search" in setting else 1)
    assert {per_cent for _, per_cent in shown} == {"100"}
