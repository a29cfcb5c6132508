"""What this process lets TensorFlow do."""

import os
from contextlib import suppress

from skvae.engine._tensorflow import tf

_ran_in: int | None = None  # the process in which TensorFlow has run


def enter() -> None:
    """Take note that TensorFlow runs; a RuntimeError in a process where it would hang for ever."""
    global _ran_in
    if _ran_in is None:
        _ran_in = os.getpid()
    if _ran_in != os.getpid():
        raise RuntimeError(
            "TensorFlow has run in the process that this one was forked from, and would hang here "
            "for ever. Start processes by 'spawn' or 'forkserver' (joblib's 'loky' does), or load "
            "the model in each of them and use none before they start."
        )


def limit_threads() -> None:
    """Let TensorFlow take as many threads as OMP_NUM_THREADS says, for joblib's workers."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    told = tf.config.threading.get_intra_op_parallelism_threads()
    if not limit.isdecimal() or not int(limit) or told or "TF_NUM_INTRAOP_THREADS" in os.environ:
        return
    with suppress(RuntimeError):  # it runs already
        tf.config.threading.set_intra_op_parallelism_threads(int(limit))
