"""Noise of scores, which depends on each row alone."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.stats import qmc

from skvae._math import normal_quantile
from skvae.inference._blocks import height_of, in_blocks
from skvae.model import Model
from skvae.table import Cells


def with_noise(
    model: Model, x: Cells | np.ndarray, n_draws: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of rows: their places, the rows filled up to one height, and noise that depends on each row alone."""
    points, varies = (
        sobol(n_draws, model.network.latent_dim)[:, None],
        model.learned()["cells"]["varies"] > 0,
    )
    for start, (n, (block,)) in zip(
        range(0, len(x), height := height_of(model, n_draws)), in_blocks(height, x), strict=True
    ):
        shifts = row_shifts(
            block if varies.all() else np.where(varies, block, np.float32(0)),
            model.network.latent_dim,
        )
        yield (
            np.arange(start, start + n),
            block,
            np.asarray(normal_quantile((points + shifts) % np.float32(1))),
        )


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
    x = x + np.float32(0)  # one zero of two, and one hole of many
    if np.isnan(np.min(x, initial=0.0)):
        x[np.isnan(x)] = np.nan
    bits, odd = x.view(np.uint32), _odd_numbers(x.shape[1])
    hashes = np.einsum("ij,j->i", bits, odd, dtype=np.uint64)  # casts some at a time
    hashes = hashes[:, None] + np.arange(1, latent_dim + 1, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    return (_splitmix(hashes) >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


@lru_cache(maxsize=8)
def _odd_numbers(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(2**63, size=n, dtype=np.uint64) * 2 + 1


def _splitmix(h: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each bit of h moves half of the others."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))
