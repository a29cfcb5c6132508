"""Latent points given some cells of a row: importance resampling in the latent space.

Where enough draws of the prior agree with a condition, they will do. Else draws come from a mixture
of the prior and of normals fitted around several starts, so that conditions that the encoder never
met, with several explanations, are met too. As in population Monte Carlo (Cappe et al. 2008), the
mixture follows the weights of its draws.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from skvae.inference._completions import log_joint_of_rows
from skvae.inference._draw import Drawn, completed, drawn
from skvae.inference._prior import log_prior, prior_sample
from skvae.inference._proposals import log_joint, near, refine
from skvae.model import Model

STARTS = 8
BATCH = 4096  # draws between two looks at their effective number
ROUNDS = 4  # of adapting the mixture
MOST = 2**18  # draws for one row at most
FEWEST = 256  # effective draws at least
PER_ROW = 4  # effective draws for each row asked for
COMPLETED = 4  # of so many draws one is completed, where cells see each other
DEFENCE = 0.05  # share of the prior in the mixture, at least and about: it bounds the weights


class Mixture(NamedTuple):
    """The prior and normals with full covariance, to propose latent points from."""

    log_share: np.ndarray  # (1 + k,), of the prior first
    mean: np.ndarray  # (k, d)
    factor: np.ndarray  # (k, d, d), lower Cholesky factors of the covariances


def rows_given(
    model: Model, x: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[Iterator[np.ndarray], float, int]:
    """n rows for each row of x with holes, block by block; on how many draws they rest at least.

    First one of each, then the second of each, and so on. Draws are counted effectively and in all.
    """
    found, *counts = zip(*(points_given(model, row[None], n, rng) for row in x), strict=True)
    rows = np.stack(found, axis=1).reshape(-1, found[0].shape[-1])
    blocks = iter([rows])
    if model.network.chain is None:
        blocks = drawn(model, rows, rng)
    return blocks, *min(zip(*counts, strict=True))


def points_given(
    model: Model, x: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, float, int]:
    """n points z from p(z | x) of one row x, or whole rows where cells see each other."""
    enough = max(FEWEST, PER_ROW * n)
    mixture, found = _of_prior(model.network.latent_dim), []
    draws = _weighed(model, x, mixture, BATCH, rng)
    if _effective_size(draws.log_w) < enough:
        mixture = _fitted(model, x, draws, rng)
        draws = _weighed(model, x, mixture, BATCH, rng)
    log_w, log_first = np.empty(0), np.empty(0)
    while True:
        rows, new = _completed(model, x, draws, n, rng)
        found.append(rows)
        log_w, log_first = np.append(log_w, new), np.append(log_first, draws.log_w)
        size, n_drawn = min(map(_effective_size, (log_w, log_first))), len(log_first)
        if size >= enough or n_drawn >= MOST:
            break
        draws = _weighed(model, x, mixture, n_drawn, rng)  # twice as many in all
    rows = np.concatenate(found)
    return rows[_systematic(log_w, n, rng)], size, n_drawn


class Draws(NamedTuple):
    """Draws of z for a row x."""

    z: np.ndarray  # (draws, d)
    log_w: np.ndarray  # (draws,), log p(x, z) / q(z)
    log_joint: np.ndarray  # (draws,), log p(x, z)
    log_parts: np.ndarray  # (draws, 1 + k), log-density of each part of q times its share


def _weighed(
    model: Model, x: np.ndarray, mixture: Mixture, n: int, rng: np.random.Generator
) -> Draws:
    """Draws of a mixture, and how well they agree with a row."""
    z = _draw(model, mixture, n, rng)
    log_q, log_parts = _log_density(model, mixture, z)
    log_x = log_joint(model, x, z)
    return Draws(z, log_x - log_q, log_x, log_parts)


def _completed(
    model: Model, x: np.ndarray, draws: Draws, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points z and their weights; or rows that complete x at some of them, and theirs.

    There are as many as the n that are asked for, if there are as many draws.
    """
    z, log_w, log_first, _ = draws
    if model.network.chain is None:
        return z, log_w
    taken = _systematic(log_w, max(len(z) // COMPLETED, min(len(z), n)), rng)
    rows, log_q = completed(model, x.astype(float), z[taken], partial(Drawn.sample, rng=rng))
    log_v = log_joint_of_rows(model, rows, z[taken]) - log_q - log_first[taken]
    return rows, log_v + logsumexp(log_w) - np.log(len(z))


def _of_prior(d: int) -> Mixture:
    """The prior alone."""
    none = np.empty((0, d, d))
    return Mixture(np.zeros(1), none[:, 0], none)


def _fitted(model: Model, x: np.ndarray, draws: Draws, rng: np.random.Generator) -> Mixture:
    """The prior and normals that follow what agrees with a row, first of draws of the prior."""
    mixture = _start(model, x, draws, rng)
    for _ in range(ROUNDS):
        draws = _weighed(model, x, mixture, BATCH, rng)
        w = np.exp(draws.log_w - logsumexp(draws.log_w))
        of_parts = draws.log_parts - logsumexp(draws.log_parts, axis=1, keepdims=True)
        mixture = _reweighted(mixture, draws.z, w[:, None] * np.exp(of_parts))
    return mixture


def _start(model: Model, x: np.ndarray, draws: Draws, rng: np.random.Generator) -> Mixture:
    """The prior and normals near likely draws of it, and near the encoder's mean."""
    likely = draws.z[np.argsort(-(draws.log_w + rng.gumbel(size=len(draws.z))))[: STARTS - 1]]
    z = np.concatenate([near(model, x)[0], likely])
    mean, log_scale = _normals(model, x, z, rng)
    k, d = mean.shape
    factor = np.exp(log_scale, dtype=np.float64)[:, :, None] * np.eye(d)
    return Mixture(np.full(1 + k, -np.log(1 + k)), mean.astype(np.float64), factor)


def _normals(
    model: Model, x: np.ndarray, z: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Means and log-scales of normals fitted to a row from points z on, (points, d) each.

    Where cells see each other, those of q(z | x) of rows that complete it there.
    """
    if model.network.chain is not None:
        draw = partial(Drawn.sample, rng=rng)
        rows, _ = completed(model, x.astype(np.float64), z, draw, weighs=False)
        return near(model, rows.astype(np.float32))
    wide, rows = np.full_like(z, -1.0), np.repeat(x, len(z), axis=0)
    return refine(model, rows, z, wide, height=STARTS)


def _reweighted(mixture: Mixture, z: np.ndarray, w: np.ndarray) -> Mixture:
    """Shares, means and covariances of draws, weighted for each part, (draws, 1 + k)."""
    share = np.maximum(w.sum(axis=0), 1e-3)
    share[0] = max(share[0], DEFENCE)
    mean, factor = mixture.mean.copy(), mixture.factor.copy()
    for i, v in enumerate(w[:, 1:].T):
        total, d = v.sum(), z.shape[1]
        size = total**2 / (v**2).sum() if total > 1e-6 else 0.0
        if size < 10:
            continue
        keep = 2 * d / (2 * d + size)  # near the old ones where draws are few
        new = v @ z / total
        centred = z - new
        covariance = (v * centred.T) @ centred / total
        mean[i] = keep * mean[i] + (1 - keep) * new
        factor[i] = np.linalg.cholesky(keep * factor[i] @ factor[i].T + (1 - keep) * covariance)
    return Mixture(np.log(share / share.sum()), mean, factor)


def _draw(model: Model, mixture: Mixture, n: int, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal((n, mixture.mean.shape[1]), np.float32)
    part = rng.choice(len(mixture.log_share), n, p=np.exp(mixture.log_share))
    z = prior_sample(model, noise)
    for k, (mean, factor) in enumerate(zip(mixture.mean, mixture.factor, strict=True)):
        z[part == k + 1] = mean + noise[part == k + 1] @ factor.T
    return z


def _log_density(model: Model, mixture: Mixture, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-density of the mixture, (draws,), and of each part times its share, (draws, 1 + k)."""
    normals = zip(mixture.mean, mixture.factor, strict=True)
    log_probs = [log_prior(model, z), *(_log_normal(z, *normal) for normal in normals)]
    parts = np.stack(log_probs, axis=1) + mixture.log_share
    return logsumexp(parts, axis=1), parts


def _log_normal(z: np.ndarray, mean: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Log-density of a normal with full covariance, (draws,)."""
    standard = np.linalg.solve(factor, (z - mean).T)
    log_determinant = np.log(np.diag(factor)).sum()
    constant = 0.5 * z.shape[1] * np.log(2 * np.pi)
    return -0.5 * (standard**2).sum(axis=0) - log_determinant - constant


def _effective_size(log_w: np.ndarray) -> float:
    """How many equal draws weighted draws are worth (Kish 1965)."""
    return float(np.exp(2 * logsumexp(log_w) - logsumexp(2 * log_w)))


def _systematic(log_w: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Places of n draws by their weights, with as few repeated as can be (Kitagawa 1996)."""
    due = np.exp(log_w - logsumexp(log_w)).cumsum() * n
    places = np.searchsorted(due, rng.random() + np.arange(n))
    return rng.permutation(places.clip(max=len(due) - 1))
