"""What this process lets TensorFlow do."""

import os
from contextlib import suppress

import tensorflow as tf


def limit_threads() -> None:
    """Let TensorFlow take as many threads as OMP_NUM_THREADS says, for joblib's workers."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    told = tf.config.threading.get_intra_op_parallelism_threads()
    if not limit.isdecimal() or not int(limit) or told or "TF_NUM_INTRAOP_THREADS" in os.environ:
        return
    with suppress(RuntimeError):  # it runs already
        tf.config.threading.set_intra_op_parallelism_threads(int(limit))
