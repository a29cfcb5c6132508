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
    if (
        not limit.isdecimal()
        or not int(limit)
        or threads()
        or "TF_NUM_INTRAOP_THREADS" in os.environ
    ):
        return
    with suppress(RuntimeError):  # it runs already
        tf.config.threading.set_intra_op_parallelism_threads(int(limit))
        tf.config.threading.set_inter_op_parallelism_threads(int(limit))


def threads() -> int:
    """How many TensorFlow was told to take; 0 if it may choose."""
    return tf.config.threading.get_intra_op_parallelism_threads()


def devices() -> list[str]:
    """Processors that TensorFlow finds, with the names of their makers."""
    details = tf.config.experimental.get_device_details
    found = tf.config.list_physical_devices()
    return [f"{one.name} {details(one).get('device_name', '')}".strip() for one in found]
