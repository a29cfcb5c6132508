"""Workers that train one model, each in a process of its own, as TensorFlow knows them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from skvae.engine._tensorflow import tf

GROUP = 7300  # tells exchanges from those of others; a group has one dtype


class Workers(NamedTuple):
    """How many there are, and which of them this process is."""

    n: int = 1
    rank: int = 0


def workers() -> Workers:
    """Those of the strategy of several machines in whose scope this runs; else this one alone."""
    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return Workers()
    resolver = strategy.cluster_resolver
    if resolver.task_type not in ("chief", "worker"):
        return Workers()
    cluster = resolver.cluster_spec().as_dict()
    chiefs, others = (len(cluster.get(job, ())) for job in ("chief", "worker"))
    rank = 0 if resolver.task_type == "chief" else chiefs + (resolver.task_id or 0)
    return Workers(max(1, chiefs + others), rank)


def summed(x: Any, n: int) -> Any:
    """The sum of what n workers have, a vector of a known size: equal bits in each."""
    return tf.raw_ops.CollectiveReduceV2(
        input=x,
        group_size=n,
        group_key=GROUP + x.dtype.as_datatype_enum,
        instance_key=x.shape[0],
        ordering_token=[],
        merge_op="Add",
        final_op="Id",
    )


def averaged(arrays: list, n: int) -> list:
    """The means of arrays over n workers, by one exchange."""
    if n == 1:
        return arrays
    sizes = [array.shape.num_elements() for array in arrays]
    vector = tf.concat([tf.reshape(array, [-1]) for array in arrays], axis=0)
    means = tf.split(summed(vector, n) / n, sizes)
    return [tf.reshape(mean, array.shape) for mean, array in zip(means, arrays, strict=True)]


def mean_of(x: np.ndarray, n: int) -> np.ndarray:
    """The mean of an array over n workers."""
    return x if n == 1 else told(summed)(tf.constant(x), n).numpy() / n


def agreed(rng: np.random.Generator) -> np.random.Generator:
    """Random numbers that are the same in all workers."""
    n, rank = workers()
    if n == 1:
        return rng
    own = rng.integers(2**31, size=1) * (rank == 0)
    return np.random.default_rng(int(told(summed)(tf.constant(own), n)[0]))


def check_alike(weights: Any, *more: Any) -> None:
    """A ValueError where workers begin with different weights, or with what shows otherwise."""
    number = crc32(repr(more).encode(), crc32(np.asarray(weights).tobytes())) >> 12
    total, squares = mean_of(np.array([number, number**2]), workers().n)
    if total**2 != squares:
        raise ValueError(
            "Workers begin with different models or rows; give all of them the same table, "
            "parameters and packages, and let all go on from one file of Checkpoint, or none."
        )


def told(function: Callable) -> Callable:
    """The function; a RuntimeError where another worker does not answer any more."""

    @wraps(function)
    def called(*args: Any) -> Any:
        errors = tf.errors
        try:
            return function(*args)
        except (errors.UnavailableError, errors.AbortedError, errors.CancelledError) as error:
            raise RuntimeError(
                "Another worker has ended, and training does not go on without it; start all of "
                "them anew: with a Checkpoint they go on from its file."
            ) from error

    return called


def unscoped(function: Callable) -> Callable:
    """The function, out of the scope of a strategy, in which optimisers of Keras do otherwise."""

    @wraps(function)
    def called(*args: Any) -> Any:
        if not tf.distribute.has_strategy():
            return function(*args)
        with ThreadPoolExecutor(1) as threads:  # a scope is that of one
            return threads.submit(function, *args).result()

    return called
