"""Rows a second of one worker and of two, each a process with one core, that train one model.

    python benchmarks/bench_workers.py [batch size ...]

The shape is "wide" of bench_speed.py: 20,000 x 784, one hidden layer of 256, dropout 0.2. Seconds
are those of the steps of a second fit, whose programs are there.
"""

import json
import os
import socket
import subprocess
import sys

from machine import machine

BATCHES = 100, 400, 1600  # rows of each worker in a step
EPOCHS = 10


def one(rank, batch_size):
    """Print the milliseconds of a step and rows a second of all workers."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})
    from contextlib import nullcontext
    from time import perf_counter

    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy() if "TF_CONFIG" in os.environ else None
    import numpy as np

    from skvae import VAETransformer
    from skvae._plan import planned
    from skvae.training import states

    X = (np.random.default_rng(0).random((20_000, 784)) < 0.2).astype("f4")
    how = {"likelihood": "bernoulli", "dropout": 0.2, "early_stopping": False, "random_state": 0}
    vae = VAETransformer(2, hidden_layer_sizes=256, batch_size=batch_size, max_iter=EPOCHS, **how)
    with strategy.scope() if strategy else nullcontext():
        vae.fit(X)
        plan = planned(vae, X)
        start = perf_counter()
        *_, last = states(plan.task, plan.start)
        seconds = perf_counter() - start
    print(json.dumps([1e3 * seconds / last.steps, EPOCHS * len(X) / seconds]))


def run(n, batch_size):
    """What the first of n workers prints."""
    ports = []
    for _ in range(n):
        with socket.socket() as one_socket:
            one_socket.bind(("127.0.0.1", 0))
            ports.append(one_socket.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    threads = {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    processes, quiet = [], {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    for rank in range(n):
        environment = os.environ | threads | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        if n > 1:
            task = {"cluster": cluster, "task": {"type": "worker", "index": rank}}
            environment["TF_CONFIG"] = json.dumps(task)
        command = [sys.executable, __file__, "worker", str(rank), str(batch_size)]
        processes.append(subprocess.Popen(command, env=environment, **quiet))
    printed = [process.communicate()[0] for process in processes]
    return json.loads(printed[0].splitlines()[-1])


def main():
    print(machine())
    for batch_size in map(int, sys.argv[1:] or BATCHES):
        (alone, rows), (together, more) = (run(n, batch_size) for n in (1, 2))
        print(
            f"batches of {batch_size}: one worker {alone:.1f} ms a step, {rows:.0f} rows a second; "
            f"two {together:.1f} ms, {more:.0f}: {more / rows:.2f} times"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        one(*map(int, sys.argv[2:]))
    else:
        main()
