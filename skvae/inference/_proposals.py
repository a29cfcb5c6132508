"""Weighted draws of latent points given a row, with or without holes."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.special import logsumexp

from skvae._math import normal_log_prob, normal_quantile, ops
from skvae.engine import DRAWS, LATENT, ROWS, Shape, adam_step, gradient_of, repeated, run, takes
from skvae.inference._blocks import PACKED, by_row, encoding_height, height_of, padded
from skvae.inference._completions import WEIGHED, Draws, settled
from skvae.inference._encode import BY_ROW, posterior_sample
from skvae.inference._noise import noise_of, row_shifts, sobol, with_noise
from skvae.inference._prior import log_prior, prior_sample
from skvae.model import Inference, Model, Network
from skvae.table import Cells

JOINT = 768  # draws in a block, where there is one row
DENSE = 2**23  # most numbers of rows with holes and their draws at once
SOME, OF = 48, 128  # draws of z where completed rows say where it may be, of so many asked for
FEW = 0.25  # share of cells that are missing at most where completed rows say where z may be
REFINE_STEPS, REFINE_DRAWS, REFINE_HEIGHT = 60, 4, 48
REFINE_RATE = 0.2, 0.02  # of Adam, in the first and in the last step
REFINE_BETA_2 = 0.99  # it looks back less far than in training: steps are few
# Whose draw is next where a row has holes: encoder, fitted normal, prior
TURNS = np.array([0, 1, 0, 1, 2])
WIDER = 0.1  # added to the fitted log-scale: weights suffer more from a q too narrow than too wide
FURTHEST = 4.0  # where refining may start, in deviations of the prior
NARROWEST = -3.0  # and the logarithm of the scale there
PRIOR_DRAWS = 512  # behind the prior's mean and deviation


Blocks = Iterator[tuple[np.ndarray, Draws]]  # places of rows, (n,), and draws of their z


def weighted_draws(model: Model, x: Cells, n_draws: int) -> Blocks:
    """Draws of the z of rows, block by block.

    They come from the encoder's q(z | x). For a row with holes, whose pattern the encoder may never
    have met, they come in turns from q(z | x), from a normal fitted to that row and from the prior,
    and the weights are those of this mixture (Veach, Guibas 1995). Where cells see each other and
    few are missing, q(z | x) of completed rows takes the normal's place, and fewer draws will do.
    """
    varies = model.learned()["cells"]["varies"] > 0
    holes = x.rows_with_holes(varies)
    whole, holed = np.flatnonzero(~holes), np.flatnonzero(holes)
    for rows, block, noise in with_noise(model, x.where(~holes), n_draws):
        z, log_w = run(_draws_of_encoder, model, block, noise)
        yield whole[rows], _of_rows(len(rows), z, log_w)
    at_once = max(1, DENSE // (x.shape[1] + n_draws * model.network.latent_dim))
    for start in range(0, len(holed), at_once):
        some = holed[start : start + at_once]
        for rows, draws in _holed(model, x.take(some)[:], varies, n_draws):
            yield some[rows], draws


def _holed(model: Model, x: np.ndarray, varies: np.ndarray, n_draws: int) -> Blocks:
    """The same where all rows have holes."""
    if model.network.chain is None:
        yield from _by_mixture(model, x, n_draws)
        return
    n_cells = model.network.n_cells  # without those of sums
    few = np.isnan(x[:, :n_cells][:, varies[:n_cells]]).mean(axis=1) <= FEW
    if few.any():
        yield np.flatnonzero(few), _by_completions(model, x[few], n_draws)
    if not few.all():
        others = np.flatnonzero(~few)
        blocks = [(others[rows], draws) for rows, draws in _by_mixture(model, x[others], n_draws)]
        yield _together(blocks)


def _together(found: list) -> tuple[np.ndarray, Draws]:
    """Blocks as one, since holes are drawn cell by cell."""
    rows, draws = zip(*found, strict=True)
    z, *logs = zip(*draws, strict=True)
    return np.concatenate(rows), Draws(np.concatenate(z, axis=1), *map(np.concatenate, logs))


def _by_mixture(model: Model, x: np.ndarray, n_draws: int) -> Blocks:
    fitted = refine(model, x, *near(model, x))
    for rows, block, noise in with_noise(model, x, n_draws):
        normals = [padded(part[rows], len(block)) for part in fitted]
        yield rows, _weighed(model, len(rows), block, *_proposed(model, block, noise, *normals))


def _by_completions(model: Model, x: np.ndarray, n_draws: int) -> Draws:
    parts = np.concatenate([settled(model, x), x[:, None]], axis=1)
    noise = noise_of(model, x, SOME * -(-n_draws // OF))
    z = of_parts(model, parts, noise)
    log_p, log_q = log_density_of_parts(model, parts, z)
    height = PACKED if height_of(model, len(noise)) >= PACKED else 1
    log_joint = by_row(_log_lik_of_draws, model, height, x, z)[0].astype(np.float64) + log_p
    return Draws(z.swapaxes(0, 1), log_joint - log_q, log_joint)


def of_parts(model: Model, parts: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Draws from q(z | x) of some rows x each, (rows, parts, cells), and as many from the prior.

    They are (rows, draws, d). Each part has neighbouring points of the noise, which are as evenly
    spread as all; so many draws are a multiple of all parts.
    """
    (n, k, _), (n_draws, _, d) = parts.shape, noise.shape
    each = n_draws // (k + 1)
    own = noise[: k * each].reshape(k, each, n, d).transpose(1, 2, 0, 3).reshape(each, n * k, d)
    own = posterior_sample(model, parts.reshape(n * k, -1), own, WEIGHED)
    own = own.reshape(each, n, k, d).transpose(1, 2, 0, 3).reshape(n, k * each, d)
    of_prior = prior_sample(model, noise[k * each :].reshape(-1, d)).reshape(each, n, d)
    return np.concatenate([own, of_prior.swapaxes(0, 1)], axis=1)


def log_density_of_parts(model: Model, parts: np.ndarray, z: np.ndarray) -> tuple:
    """log p(z) of such draws, and their log-density under this mixture, (rows, draws) each."""
    (n, k, _), (_, n_draws, d) = parts.shape, z.shape
    log_p = log_prior(model, z.reshape(-1, d)).reshape(n, n_draws)
    flat, draws = parts.reshape(n * k, -1), np.repeat(z, k, axis=0)
    log_q = by_row(_log_q_of_draws, model, WEIGHED, flat, draws)[0].reshape(n, k, n_draws)
    both = np.fmax(np.dstack([log_q.swapaxes(1, 2), log_p]), -np.inf)  # not a number: no density
    return log_p, logsumexp(both, axis=2) - np.log(k + 1)


def _weighed(model: Model, n: int, x: np.ndarray, z: np.ndarray, log_q: np.ndarray) -> Draws:
    log_joint = run(_joint, model, x, z)[0]
    return _of_rows(n, z, log_joint - log_q, log_joint)


def _of_rows(n: int, z: np.ndarray, *logs: np.ndarray) -> Draws:
    """Draws of the n true rows of a block and logarithms of their weights, by row in float64.

    So sums over draws do not depend on how many rows there are.
    """
    by_row = (np.ascontiguousarray(log[:, :n].T, dtype=float) for log in logs)
    return Draws(z[:, :n], *by_row)


def near(model: Model, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-scale of normals near q(z | x), kept from extremes, (rows, d) each."""
    mean, log_scale = by_row(_moments, model, encoding_height(model), x)
    noise = np.asarray(normal_quantile(sobol(PRIOR_DRAWS, model.network.latent_dim)))
    draws = prior_sample(model, noise)
    center, reach = draws.mean(axis=0), FURTHEST * draws.std(axis=0)
    return mean.clip(center - reach, center + reach), log_scale.clip(NARROWEST, 0.0)


def refine(
    model: Model,
    x: np.ndarray,
    mean: np.ndarray,
    log_scale: np.ndarray,
    height: int = REFINE_HEIGHT,
) -> tuple[np.ndarray, np.ndarray]:
    """The normals that bring up the ELBO of observed cells, from given ones on, (rows, d) each."""
    points = sobol(REFINE_STEPS * REFINE_DRAWS, model.network.latent_dim)
    points = points.reshape(REFINE_STEPS, REFINE_DRAWS, 1, -1)
    shifts = row_shifts(x, model.network.latent_dim)
    mean, log_scale = by_row(_refined, model, height, x, mean, log_scale, shifts, points=points)
    return mean, log_scale + WIDER


def _proposed(
    model: Model, x: np.ndarray, noise: np.ndarray, mean: np.ndarray, log_scale: np.ndarray
) -> tuple:
    """Draws from the three parts of a mixture in turns, and their log-density under all of it."""
    turn = np.resize(TURNS, len(noise))
    of_prior = prior_sample(model, noise.reshape(-1, noise.shape[-1])).reshape(noise.shape)
    draws = [run(_draws_of_q, model, x, noise)[0], mean + np.exp(log_scale) * noise, of_prior]
    z = np.choose(turn[:, None, None], draws)  # (draws, rows, d)
    standard = (z - mean) * np.exp(-log_scale)
    log_normal = normal_log_prob(standard, log_scale).sum(axis=-1)
    log_p = log_prior(model, z.reshape(-1, z.shape[-1])).reshape(z.shape[:2])
    log_probs = [run(_log_q, model, x, z)[0], log_normal, log_p]  # (draws, rows) each
    shares = np.bincount(turn, minlength=3) / len(turn)
    return z, logsumexp(log_probs, b=shares[:, None, None], axis=0)


def log_joint(model: Model, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """log p(x, z) of one row, (1, cells), at many points (draws, d), (draws,)."""
    height = min(JOINT, height_of(model, 1))
    n_blocks = -(-len(z) // height)
    blocks = padded(z, n_blocks * height).reshape(n_blocks, height, 1, -1)
    found = run(_joint, model, np.repeat(x[None], n_blocks, axis=0), blocks, mapped=2)[0]
    return found.reshape(-1)[: len(z)].astype(np.float64)


@takes(ROWS, DRAWS)
def _draws_of_encoder(network: Network, w: dict, x: Any, noise: Any) -> tuple:
    z, log_q = network.posterior_sample(w, x, noise)
    return z, _log_joint(network, w, x, z) - log_q


@takes(ROWS, DRAWS)
def _draws_of_q(network: Network, w: dict, x: Any, noise: Any) -> tuple:
    return (network.posterior_sample(w, x, noise)[0],)


@takes(ROWS, DRAWS)
def _log_q(network: Network, w: dict, x: Any, draws: Any) -> tuple:
    return (network.posterior.log_prob(w["posterior"], network.encode(w, x, Inference()), draws),)


@takes(ROWS, DRAWS)
def _joint(network: Network, w: dict, x: Any, draws: Any) -> tuple:
    return (_log_joint(network, w, x, draws),)


def _log_joint(network: Network, w: dict, x: Any, z: Any) -> Any:
    return network.log_likelihood(w, x, z, Inference()) + network.log_prior(w, z)


@takes(ROWS, BY_ROW)
def _log_lik_of_draws(network: Network, w: dict, x: Any, by_row: Any) -> tuple:
    z = ops.transpose(by_row, [1, 0, 2])
    return (ops.transpose(network.log_likelihood(w, x, z, Inference())),)


@takes(ROWS, BY_ROW)
def _log_q_of_draws(network: Network, w: dict, x: Any, by_row: Any) -> tuple:
    raw, z = network.encode(w, x, Inference()), ops.transpose(by_row, [1, 0, 2])
    return (ops.transpose(network.posterior.log_prob(w["posterior"], raw, z)),)


@takes(ROWS)
def _moments(network: Network, w: dict, x: Any) -> tuple:
    raw = network.encode(w, x, Inference())
    moments = network.posterior.moments(w["posterior"], raw)
    mean = network.posterior.mean(w["posterior"], raw)
    return mean, ops.zeros_like(mean) if moments is None else moments[1]


@takes(ROWS, LATENT, LATENT, LATENT, Shape((None, None, 1, "latent")))
def _refined(
    network: Network, w: dict, x: Any, mean: Any, log_scale: Any, shifts: Any, points: Any
) -> tuple:
    def step(i: Any, q: Any, *slots: Any) -> tuple:
        first, last = REFINE_RATE
        rate = first * (last / first) ** (ops.cast(i + 1, "float32") / REFINE_STEPS)
        noise = normal_quantile((points[i] + shifts) % 1.0)
        downwards = -gradient_of(partial(_bound, network, w, x, noise), q)
        q, slots = adam_step(q, slots, downwards, rate, REFINE_BETA_2)
        return q, *slots

    q = ops.stack([mean, log_scale])
    zeros = ops.zeros_like(q)
    q, *_ = repeated(step, REFINE_STEPS, q, zeros, zeros, 0)
    return q[0], q[1]


def _bound(network: Network, w: dict, x: Any, noise: Any, q: Any) -> Any:
    """The ELBO of rows with their mean and log-scale, but for a constant: (2, rows, d), (rows,)."""
    log_joint = _log_joint(network, w, x, q[0] + ops.exp(q[1]) * noise)
    return ops.mean(log_joint, axis=0) + ops.sum(q[1], axis=-1)
