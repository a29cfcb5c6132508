"""Noise of scores, which depends on each row alone."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaincinv, gammaincinv, ndtri, stdtrit
from scipy.stats import poisson, qmc

from skvae._math import normal_quantile
from skvae.engine import enter
from skvae.inference._blocks import height_of, in_blocks
from skvae.model import Model
from skvae.table import Cells

if TYPE_CHECKING:
    from typing import Any as Generator  # NumPy's takes more than is asked of it here
else:
    from numpy.random import Generator

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the step of SplitMix64: 2 ** 64 by the golden ratio


def with_noise(
    model: Model, x: Cells | np.ndarray, n_draws: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of rows: their places, the rows filled up to one height, and noise of each."""
    places = np.arange(len(x))
    for n, (block, rows) in in_blocks(height_of(model, n_draws), x, places):
        yield rows[:n], block, noise_of(model, block, n_draws)


def noise_of(model: Model, x: np.ndarray, n_draws: int) -> np.ndarray:
    """The same of all rows, by cells that have a part in the model, (n_draws, rows, latent_dim)."""
    enter()  # keras.ops run here
    return row_noise(_telling(model, x), n_draws, model.network.latent_dim)


def _telling(model: Model, x: np.ndarray) -> np.ndarray:
    """Rows with 0 in cells that have no part in the model."""
    varies = model.learned()["cells"]["varies"] > 0
    return x if varies.all() else np.where(varies, x, np.float32(0))


def row_noise(x: np.ndarray, n_draws: int, latent_dim: int) -> np.ndarray:
    """Standard normal noise of rows, (n_draws, rows, latent_dim), that depends on each alone."""
    points = sobol(n_draws, latent_dim)[:, None] + row_shifts(x, latent_dim)
    return np.asarray(normal_quantile(points % np.float32(1)))


@lru_cache(maxsize=8)
def sobol(n_draws: int, latent_dim: int) -> np.ndarray:
    """Evenly spread points of the unit cube, always the same, (n_draws, latent_dim)."""
    engine = qmc.Sobol(latent_dim, rng=np.random.default_rng(0))
    return engine.random_base2((n_draws - 1).bit_length())[:n_draws].astype(np.float32)


def row_shifts(x: np.ndarray, latent_dim: int) -> np.ndarray:
    """Numbers in [0, 1) that depend on the bytes of each row alone, (rows, latent_dim).

    The points shifted by them (modulo 1) are as evenly spread, and their errors average
    out over rows: a Cranley-Patterson rotation (1976) with a hash for the randomness.
    """
    bits = _after(hashes(x)[:, None], np.arange(1, latent_dim + 1)) >> np.uint64(40)
    return bits.astype(np.float32) / np.float32(2**24)


def last_shifts(x: np.ndarray, latent_dim: int) -> np.ndarray:
    """One more of them, which shifts no point, (rows, 1)."""
    return row_shifts(x, latent_dim + 1)[:, latent_dim:]


def hashes(x: np.ndarray) -> np.ndarray:
    """A number of 64 bits for the bytes of each row, (rows,)."""
    x = x + np.float32(0)  # one zero of two, and one hole of many
    if np.isnan(np.min(x, initial=0.0)):
        x[np.isnan(x)] = np.nan
    bits, odd = x.view(np.uint32), _odd_numbers(x.shape[1])
    return np.einsum("ij,j->i", bits, odd, dtype=np.uint64)  # casts some at a time


@lru_cache(maxsize=8)
def _odd_numbers(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(2**63, size=n, dtype=np.uint64) * 2 + 1


class RowRandom(Generator):
    """Random numbers of rows, which come first in a shape, each with a sequence of its own.

    A row's numbers depend on its seed and on which of the seed's sequences it has, and not on the
    rows beside it: they are evenly distributed, or quantiles of such. What NumPy's generator has
    besides, and numbers that are not of each row, raise a NotImplementedError.
    """

    n_axes = 2  # of what is asked for: rows and their numbers

    def __init__(self, seeds: np.ndarray, which: np.ndarray | int = 0):
        self.states, self.used = _after(seeds, np.asarray(which) + 1), 0
        super().__init__(np.random.PCG64(0))

    def alone(self) -> Iterator[np.random.Generator]:
        """NumPy's own generator for each row."""
        self.used += 1
        yield from map(np.random.default_rng, _after(self.states, np.array(self.used)))

    def random(self, size: Any = None) -> np.ndarray:
        return self._even(self._shape(size))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> np.ndarray:
        return low + (high - low) * self._even(self._shape(size, low, high))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> np.ndarray:
        return ndtri(self._shares(size)).astype(dtype)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> np.ndarray:
        return loc + scale * ndtri(self._shares(size, loc, scale))

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> np.ndarray:
        off = self._shares(size, loc, scale) - 0.5
        return loc - scale * np.sign(off) * np.log1p(-2 * abs(off))

    def exponential(self, scale: Any = 1.0, size: Any = None) -> np.ndarray:
        return -scale * np.log(self._shares(size, scale))

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> np.ndarray:
        return loc - scale * np.log(-np.log(self._shares(size, loc, scale)))

    def standard_t(self, df: Any, size: Any = None) -> np.ndarray:
        return stdtrit(df, self._shares(size, df))

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> np.ndarray:
        return scale * gammaincinv(shape, self._shares(size, shape, scale))

    def beta(self, a: Any, b: Any, size: Any = None) -> np.ndarray:
        return betaincinv(a, b, self._shares(size, a, b))

    def poisson(self, lam: Any = 1.0, size: Any = None) -> np.ndarray:
        return poisson.ppf(self._shares(size, lam), lam)

    def _shape(self, size: Any, *parameters: Any) -> tuple[int, ...]:
        """That of NumPy's generator, if rows come first."""
        given = map(np.shape, parameters)
        shape = np.broadcast_shapes(*given) if size is None else np.broadcast_shapes(size)
        if len(shape) != self.n_axes or shape[0] != len(self.states):
            raise NotImplementedError(f"{shape} are not numbers of {len(self.states)} rows.")
        return shape

    def _shares(self, size: Any, *parameters: Any) -> np.ndarray:
        """Numbers in (0, 1) of such a shape."""
        return np.maximum(self._even(self._shape(size, *parameters)), 2.0**-54)

    def _even(self, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers in [0, 1) of this shape."""
        n = math.prod(shape[1:])
        bits = _after(self.states[:, None], self.used + 1 + np.arange(n)) >> np.uint64(11)
        self.used += n
        return (bits / 2.0**53).reshape(shape)


def _of_no_row(rng: RowRandom) -> Any:
    raise NotImplementedError("Rows have no such numbers of their own.")


for name in set(dir(Generator)) - set(vars(RowRandom)):
    if not name.startswith("_"):
        setattr(RowRandom, name, property(_of_no_row))


class Spread(RowRandom):
    """The same, spread evenly over a second axis: each of its places has a share of its own."""

    n_axes = 3

    def _even(self, shape: tuple[int, ...]) -> np.ndarray:
        place = super()._even(shape).argsort(axis=1).argsort(axis=1)
        return (place + super()._even(shape)) / shape[1]


def sampled(likelihood: Any, w: dict, raw: np.ndarray, rng: RowRandom) -> np.ndarray:
    """Draws of cells at raw numbers of rows, each by random numbers of its own."""
    with np.errstate(over="ignore", invalid="ignore"):  # brought back into its column's range
        try:
            return likelihood.sample(w, raw, rng)
        except (NotImplementedError, TypeError):  # what `rng` lacks, and what it does not take
            rows = zip(np.split(raw, len(raw)), rng.alone(), strict=True)
            return np.concatenate([likelihood.sample(w, row, own) for row, own in rows])


def _after(states: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Numbers of 64 bits that SplitMix64 gives so many steps after some states."""
    return _splitmix(states + steps.astype(np.uint64) * GOLDEN)


def _splitmix(h: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each bit moves half of the others."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))
