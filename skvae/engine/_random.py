"""Random numbers inside of programs, all from seeds."""

from typing import Any

import numpy as np

from skvae.engine._tensorflow import tf


def normal(shape: Any, seed: Any) -> Any:
    """Standard normal noise."""
    return tf.random.stateless_normal(shape, seed)


def with_holes(x: Any, share: Any, seeds: Any) -> Any:
    """Rows with cells turned into holes; the share varies from row to row, around its mean."""
    rows = (*tf.unstack(tf.shape(x)[:-1]), 1)
    around = tf.random.stateless_uniform(rows, seeds[0], -1.0, 1.0)
    rates = share + tf.minimum(share, 1.0 - share) * around
    hidden = tf.random.stateless_uniform(tf.shape(x), seeds[1]) < rates
    return tf.where(hidden, np.float32(np.nan), x)


def random_bits(length: Any, n: Any, seed: Any) -> Any:
    """16 bits for each of n units, of so many steps."""
    pairs = tf.random.stateless_uniform((length, (n + 1) // 2), seed, None, None, tf.int32)
    return tf.reshape(tf.bitcast(pairs, tf.uint16), (length, -1))[:, :n]


def hashed_bits(i: Any, shapes: list[tuple[Any, Any]], seeds: Any) -> list:
    """The same in step i, in 32-bit integers: hashes of places, which XLA fuses with their use."""
    seeds = tf.unstack(tf.bitcast(seeds, tf.uint32))
    return [_hashes(i, *shape, seed) for shape, seed in zip(shapes, seeds, strict=True)]


def _hashes(i: Any, n: Any, width: int, seed: Any) -> Any:
    places = tf.reshape(tf.range(n * width) + i * (n * width), (n, width))
    odd = tf.bitwise.bitwise_or(seed[1], np.uint32(1))
    sequence = (tf.bitcast(places, tf.uint32) + seed[0]) * odd
    return tf.bitwise.right_shift(_murmur(sequence), np.uint32(16))


def _murmur(h: Any) -> Any:
    """The finaliser of MurmurHash3 (Appleby 2011): random numbers out of a sequence of odd step.

    So SplitMix makes its own (Steele, Lea, Flood 2014).
    """
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        h = tf.bitwise.bitwise_xor(h, tf.bitwise.right_shift(h, np.uint32(shift)))
        h *= np.uint32(factor)
    return h


def factors(bits: Any, rate: Any) -> Any:
    """What units are multiplied by: 0 where 16 random bits say so, so that means stay."""
    kept = bits >= tf.cast(rate * 65536.0, bits.dtype)
    return tf.cast(kept, tf.float32) / (1.0 - rate)


class Step:
    """How layers behave in a step of training, and what they leave."""

    training = True

    def __init__(self, factors: list):
        self.factors = iter(factors) if factors else None
        self.states: dict = {}
        self.penalties: list = []

    def drop(self, x: Any) -> Any:
        """Hidden units times their factors; as they are where none are dropped."""
        return x if self.factors is None else x * next(self.factors)

    def note(self, part: str, state: list, penalties: list) -> None:
        self.states |= {part: state} if state else {}
        self.penalties += penalties
