"""Workers that train one model together: processes of their own on this machine."""

import json
import os
import subprocess
import sys
from socket import socket

import numpy as np
import pytest
import tensorflow as tf

from skvae import VAETransformer
from skvae._streamed import _with_places
from skvae.engine import _workers
from skvae.table import Dense

BEGIN = """
import os, sys, warnings
from hashlib import md5

import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
warnings.simplefilter("ignore")
"""
TABLE = """
import numpy as np
import pandas as pd

from skvae import Blocks, VAETransformer

rng = np.random.default_rng(0)
group = rng.integers(3, size=2001)
X = pd.DataFrame({"a": rng.normal(size=2001) + 3 * group, "b": np.array(list("xyz"))[group]})
test = X[:500]
blocks = Blocks(lambda: (X[i : i + 300] for i in range(0, 2001, 300)))
"""
SPACE: dict = {}
exec(TABLE, SPACE)
FITS = """
from skvae.table import _sampled, _stored

_sampled.NUMBERS = _stored.NUMBERS = 1000

def told(table, **parameters):
    vae = VAETransformer(2, **{"hidden_layer_sizes": 16, **parameters})
    with strategy.scope():
        vae.fit(table)
    bits = [md5(vae._model.weights.tobytes()).hexdigest(), vae.history_["loss"].tolist()]
    print(repr((bits, vae.n_iter_, vae.score(test))))
"""
TWO = """
told(X, max_iter=40, random_state=0)
told(blocks, max_iter=40, random_state=0)
rank = int(sys.argv[1])
for table, max_iter in ((X[: 1001 + rank], 1), (X, 1 + rank)):
    try:
        told(table, max_iter=max_iter)
    except ValueError as error:
        print(repr(str(error)))
"""
MORE = """
import keras

told(X, max_iter=2, dropout=0.1, hide=0.1, optimizer="adamw")
told(X, max_iter=1, hidden_layer_sizes=(128, 128))
told(X, max_iter=1, autoregressive=True, likelihood={"a": "histogram"})
with strategy.scope():
    pieces = VAETransformer(1, hidden_layer_sizes=4).partial_fit(X[:500]).partial_fit(X[500:])
print(repr(md5(pieces._model.weights.tobytes()).hexdigest()))
X.loc[4, "a"] = np.nan  # in the share of one of them
told(blocks, max_iter=1)

def restless(n_inputs, n_outputs):
    layers = keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(n_outputs)
    return keras.Sequential(layers)

told(X, max_iter=2, encoder=restless)
"""
KILLED = """
import signal
from skvae.callbacks import Checkpoint

class Kill:
    ended = 0

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...
    def on_fit_task_end(self, estimator, context):
        self.ended += 1
        if self.ended == 5:
            os.kill(os.getpid(), signal.SIGKILL)

rank, kills, path = sys.argv[1:]
killers = [Kill()] if kills == "kill" and rank == "1" else []
vae = VAETransformer(2, hidden_layer_sizes=16, max_iter=20, random_state=0, early_stopping=False)
vae.set_callbacks(Checkpoint(path, every=1, unit="epochs"), *killers)
try:
    with strategy.scope():
        vae.fit(X)
    print(repr((md5(vae._model.weights.tobytes()).hexdigest(), vae.n_iter_)))
except RuntimeError as error:
    print(repr((str(error), os.path.exists(path))), flush=True)
    os._exit(0)  # the other one is not waited for
"""


def free_ports(n):
    sockets = [socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def run(script, *arguments):
    """What each of two workers prints, line by line."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    processes = []
    for rank in range(2):
        task = {"cluster": cluster, "task": {"type": "worker", "index": rank}}
        one_thread = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
        environment = os.environ | one_thread | {"TF_CONFIG": json.dumps(task)}
        command = [sys.executable, "-c", BEGIN + TABLE + script, str(rank), *arguments]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
    printed = [process.communicate(timeout=120)[0].decode() for process in processes]
    return [[eval(line) for line in own.splitlines()] for own in printed]


def test_two_workers_have_the_same_bits_and_learn_what_one_does():
    first, second = run(FITS + TWO)
    assert first == second
    in_memory, in_blocks, *refused = first
    for (*_, score), rows in ((in_memory, SPACE["X"]), (in_blocks, SPACE["blocks"])):
        alone = VAETransformer(2, hidden_layer_sizes=16, max_iter=40, random_state=0).fit(rows)
        assert abs(alone.score(SPACE["test"]) - score) < 0.1
    assert len(refused) == 2
    for text in refused:
        assert text.startswith("Workers begin with different models or rows; give all of them")


@pytest.mark.slow
def test_two_workers_have_the_same_bits_whatever_they_train():
    first, second = run(FITS + MORE)
    assert first == second
    assert len(first) == 6


@pytest.mark.slow
def test_where_a_worker_is_killed_the_other_says_so_and_both_go_on_from_the_file(tmp_path):
    pytest.importorskip("sklearn.callback")
    path = str(tmp_path / "fit")
    alone, killed = run(KILLED, "kill", path)
    assert killed == []
    assert alone == [
        (
            "Another worker has ended, and training does not go on without it; start all of them "
            "anew: with a Checkpoint they go on from its file.",
            True,
        )
    ]
    went_on, never_killed = (run(KILLED, "no", str(path)) for path in (path, tmp_path / "other"))
    assert went_on[0] == went_on[1] == never_killed[0]
    assert went_on[0][0][1] == 20


@pytest.mark.parametrize("n", [1, 2, 3])
def test_shares_of_workers_are_all_rows_and_of_one_size(n):
    rows = Dense(np.arange(14, dtype=np.float32).reshape(7, 2))
    shares = [rows.share(n, rank)[:, 0] for rank in range(n)]
    assert len({len(own) for own in shares}) == 1
    assert sorted(set(np.concatenate(shares).tolist())) == [0, 2, 4, 6, 8, 10, 12]
    assert sum(map(len, shares)) - 7 < n


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("apart", [[], [0, 4, 5, 10], [6]])
def test_shares_of_blocks_are_all_rows_that_are_not_held_out(n, apart):
    X = np.arange(11.0)[:, None]
    shares = []
    for rank in range(n):
        blocks = _with_places(
            np.array_split(X, 4), np.array(apart, int), 11, _workers.Workers(n, rank)
        )
        found = [(block[:, 0], own) for block, own in blocks]
        held_out = np.concatenate([block[own] for block, own in found])
        assert held_out.tolist() == apart
        shares.append(np.concatenate([np.delete(block, own) for block, own in found]))
    assert len({len(own) for own in shares}) == 1
    assert sorted(set(np.concatenate(shares).tolist())) == sorted(set(range(11)) - set(apart))


@pytest.mark.parametrize(
    ("task", "found"),
    [
        (("chief", 0), (3, 0)),
        (("worker", 1), (3, 2)),
        (("evaluator", 0), (1, 0)),
        (("", None), (1, 0)),
    ],
)
def test_workers_are_counted_from_the_chief_on(task, found, monkeypatch):
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"], "evaluator": ["d:1"]}

    class Strategy:
        class cluster_resolver:  # noqa: N801
            task_type, task_id = task
            cluster_spec = staticmethod(lambda: tf.train.ClusterSpec(cluster))

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", Strategy)
    monkeypatch.setattr(tf.distribute, "get_strategy", Strategy)
    assert _workers.workers() == found


def test_without_a_strategy_there_is_one_worker():
    assert _workers.workers() == (1, 0)
    rng = np.random.default_rng(0)
    assert _workers.agreed(rng) is rng
