"""After fit: encode, decode and log-likelihood, in blocks of one fixed height.

Products of different heights differ in their last bits, so every block is padded to the
same height: what a row gives then never depends on its neighbours.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import qmc

from skvae._math import normal_quantile
from skvae._network import Network, no_dropout, reader

HEIGHT = 1024  # rows in a block
DRAWS = 8192  # rows x draws in a block, where there are draws


class Model(NamedTuple):
    """A network with what it has learned."""

    network: Network
    weights: np.ndarray
    constants: np.ndarray
    varies: np.ndarray  # 1 for a cell with a likelihood term, 0 for one of a constant column


def posterior_mean(model: Model, x: np.ndarray) -> np.ndarray:
    """Mean of q(z | x) of each row, (rows, latent_dim)."""
    run = _compiled(_mean, model.network)
    return _concatenated([run(model.weights, model.constants, block)[:n] for n, block in _blocks(x, HEIGHT)])


def posterior_sample(model: Model, x: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Draws from q(z | x) made from standard normal noise (draws, rows, latent_dim), of its shape."""
    run, height = _compiled(_sample, model.network), max(1, DRAWS // len(noise))
    pairs = zip(_blocks(x, height), _blocks(noise.swapaxes(0, 1), height), strict=True)
    draws = [run(model.weights, model.constants, x, noise.swapaxes(0, 1))[:, :n] for (n, x), (_, noise) in pairs]
    return _concatenated(draws, axis=1)


def decode(model: Model, z: np.ndarray) -> np.ndarray:
    """The decoder's raw numbers at each latent point, (rows, n_raw)."""
    run = _compiled(_decode, model.network)
    return _concatenated([run(model.weights, model.constants, block)[:n] for n, block in _blocks(z, HEIGHT)])


def log_likelihood(model: Model, x: np.ndarray, n_draws: int) -> np.ndarray:
    """Importance-weighted lower bound of log p(x) of each row, in nats, (rows,)."""
    bounds = [logsumexp(log_lik - log_ratio, axis=0)[:n] for n, (log_lik, log_ratio, _) in _terms(model, x, n_draws)]
    return np.concatenate(bounds) - np.log(n_draws)


def lower_bound(model: Model, x: np.ndarray, n_draws: int) -> tuple[float, np.ndarray]:
    """The ELBO in nats per row, and the nats that each latent dimension carries, (latent_dim,).

    Where the KL has no closed form, the second is its total, (1,).
    """
    blocks = [(log_lik[:, :n], kl[:n]) for n, (log_lik, _, kl) in _terms(model, x, n_draws)]
    log_lik, kl = zip(*blocks, strict=True)
    kl = np.concatenate(kl).mean(axis=0)
    return float(np.concatenate(log_lik, axis=1).mean() - kl.sum()), kl


def _terms(model: Model, x: np.ndarray, n_draws: int) -> Iterator[tuple[int, list[np.ndarray]]]:
    """By block, with its number of true rows: log-likelihood and log q/p of each draw, and the KL."""
    run, height = _compiled(_terms_of_draws, model.network), max(1, DRAWS // n_draws)
    points = _sobol(n_draws, model.network.latent_dim)
    for n, block in _blocks(x, height):
        shifts = _row_shifts(block, model.network.latent_dim)
        terms = run(model.weights, model.constants, block, model.varies, points, shifts)
        yield n, [term.numpy().astype(np.float64) for term in terms]


def _mean(network: Network, w: dict, x: Any) -> Any:
    return network.posterior.mean(w["posterior"], network.encode(w, x, no_dropout))


def _sample(network: Network, w: dict, x: Any, noise: Any) -> Any:
    return network.posterior.sample(w["posterior"], network.encode(w, x, no_dropout), noise)[0]


def _decode(network: Network, w: dict, z: Any) -> Any:
    return network.decode(w, z, no_dropout)


def _terms_of_draws(network: Network, w: dict, x: Any, varies: Any, points: Any, shifts: Any) -> tuple[Any, ...]:
    noise = normal_quantile((points[:, None] + shifts) % 1.0)
    log_lik, log_ratio, kl = network.terms(w, x, varies, noise, no_dropout)
    return log_lik, log_ratio, tf.reduce_mean(log_ratio, axis=0)[:, None] if kl is None else kl


@lru_cache(maxsize=128)
def _compiled(function: Callable, network: Network) -> Callable:
    """One of the functions above for an architecture; later calls reuse it without tracing."""
    read = reader(network)
    rows, latent = tf.TensorSpec([None, network.n_cells]), tf.TensorSpec([None, network.latent_dim])
    vector, draws = tf.TensorSpec([None]), tf.TensorSpec([None, None, network.latent_dim])
    specs = {"x": rows, "varies": vector, "noise": draws, "z": latent, "points": latent, "shifts": latent}
    names = list(signature(function).parameters)[2:]

    @tf.function(autograph=False, input_signature=[vector, vector, *(specs[name] for name in names)])
    def run(weights: Any, constants: Any, *arrays: Any) -> Any:
        return function(network, read(weights, constants), *arrays)

    return run.get_concrete_function()


def _blocks(array: np.ndarray, height: int) -> Iterator[tuple[int, np.ndarray]]:
    """Slices of one height, the last filled with zeros, each with its number of true rows."""
    for start in range(0, len(array), height):
        block = array[start : start + height]
        n = len(block)
        if n < height:
            block = np.concatenate([block, np.zeros((height - n, *array.shape[1:]), array.dtype)])
        yield n, block


def _concatenated(blocks: list, axis: int = 0) -> np.ndarray:
    return np.concatenate([np.asarray(block) for block in blocks], axis=axis)


@lru_cache(maxsize=8)
def _sobol(n_draws: int, latent_dim: int) -> np.ndarray:
    """Evenly spread points of the unit cube, always the same, (n_draws, latent_dim)."""
    engine = qmc.Sobol(latent_dim, rng=np.random.default_rng(0))
    return engine.random_base2((n_draws - 1).bit_length())[:n_draws].astype(np.float32)


def _row_shifts(x: np.ndarray, latent_dim: int) -> np.ndarray:
    """Numbers in [0, 1) that depend on the bytes of each row alone, (rows, latent_dim).

    The points shifted by them (modulo 1) are as evenly spread, and their errors average
    out over rows: a Cranley-Patterson rotation (1976) with a hash for the randomness.
    """
    words = (x + np.float32(0)).view(np.uint32).astype(np.uint64)  # + 0 makes one zero of two
    hashes = (words * _odd_numbers(x.shape[1])).sum(axis=1, dtype=np.uint64)
    hashes = hashes[:, None] + np.arange(1, latent_dim + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (_splitmix(hashes) >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


@lru_cache(maxsize=8)
def _odd_numbers(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(2**63, size=n, dtype=np.uint64) * 2 + 1


def _splitmix(h: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each bit of h moves half of the others."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))
