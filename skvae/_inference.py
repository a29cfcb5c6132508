"""After fit: encode, decode and log-likelihood, in blocks of one fixed height.

Products of different heights differ in their last bits, and so do the rows that are left over
where a processor takes many at a time. So every block is padded to the same height, with none
left over: what a row gives then never depends on its neighbours. A call takes many blocks.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from inspect import signature
from math import gcd, lcm
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import qmc

from skvae._layers import Inference
from skvae._math import LOG_2PI, normal_quantile
from skvae._memory import aligned, tensor
from skvae._network import Network, reader, with_prior
from skvae.table import Cells

HEIGHT = 192  # rows in a block: few, so that one row alone does not wait for many
UNITS = 192, 48  # rows of a product that processors take at a time are 4, 6, 8 or 24 and more: none is left over
PACKED = 16  # most numbers that a processor takes at a time
AT_ONCE = 8  # blocks that cores share
GROUP = 2**15  # most rows in a call
DRAWS = 8192  # rows x draws in a block, where there are draws
JOINT = 4096  # draws in a block, where there is one row
NUMBERS = 2**23  # most numbers that the decoder gives, or the prior holds, for a block
DENSE = 2**23  # most numbers of rows with holes at once
REFINE_STEPS, REFINE_DRAWS, REFINE_HEIGHT = 60, 4, 48
REFINE_RATE = 0.2, 0.02  # of Adam, in the first and in the last step
TURNS = np.array([0, 1, 0, 1, 2])  # whose draw is next where a row has holes: encoder, fitted normal, prior
WIDER = 0.1  # added to the fitted log-scale: weights suffer more from a q too narrow than from one too wide
FURTHEST, NARROWEST = 4.0, -3.0  # where refining may start: in deviations of the prior, and logarithm of the scale
FITTED_ROWS = 20_000  # training rows behind a prior that is fitted after training
PRIOR_DRAWS = 512  # behind the prior's mean and deviation


class Model(NamedTuple):
    """A network with what it has learned."""

    network: Network
    weights: np.ndarray
    constants: np.ndarray


def posterior_mean(model: Model, x: Cells) -> np.ndarray:
    """Mean of q(z | x) of each row, (rows, latent_dim)."""
    height = _encoding_height(model)
    if len(x) <= height:  # as quick as can be, for rows that come one by one
        return _run(_mean, model, _padded(x[:], height))[0][: len(x)]
    return _by_row(_mean, model, height, x)[0]


def features(model: Model, x: Cells) -> np.ndarray:
    """Rows as the encoder sees them, (rows, n_features)."""
    return _by_row(_features, model, _encoding_height(model), x)[0]


def posterior_sample(model: Model, x: Cells, noise: np.ndarray) -> np.ndarray:
    """Draws from q(z | x) made from standard normal noise (draws, rows, latent_dim), of its shape."""
    height = _height(model, len(noise))
    draws = _by_row(_sample, model, height, x, noise.swapaxes(0, 1))[0]
    return draws.swapaxes(0, 1)


def decode(model: Model, z: np.ndarray) -> Iterator[np.ndarray]:
    """The decoder's raw numbers at each latent point, block by block, (n, n_raw)."""
    start = 0
    for (raw,) in _by_group(_decode, model, min(HEIGHT, _height(model, 1)), z):
        _check_decoded(raw, z[start:], start)
        start += len(raw)
        yield raw


def _check_decoded(raw: np.ndarray, z: np.ndarray, first: int) -> None:
    with np.errstate(invalid="ignore"):
        total = raw.sum(dtype=np.float64)
    if np.isfinite(total):
        return
    wrong = ~np.isfinite(raw).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"The latent point {z[row].tolist()} (row {first + row}) is too far out for the decoder, which gives no "
            "finite numbers there; points near those of transform are expected."
        )


def cells(model: Model, z: np.ndarray, read: Callable) -> Iterator[np.ndarray]:
    """What `read` makes of the likelihood's arrays and the raw numbers at latent points, block by block."""
    w = learned(model)["likelihood"]
    for raw in decode(model, z):
        with np.errstate(over="ignore", invalid="ignore"):  # brought back into the range of its column
            yield read(w, raw)


def learned(model: Model) -> dict:
    """The learned arrays by part: the argument `w`, in NumPy."""
    return reader(model.network)(model.weights, model.constants)


def log_likelihood(model: Model, x: Cells, n_draws: int) -> np.ndarray:
    """Importance-weighted lower bound of log p of the observed cells of each row, in nats, (rows,)."""
    bounds = np.empty(len(x))
    for rows, _, log_w in weighted_draws(model, x, n_draws):
        bounds[rows] = logsumexp(log_w, axis=1) - np.log(n_draws)
    return bounds


def weighted_draws(model: Model, x: Cells, n_draws: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Block by block: places of rows, draws of their z and log p(x, z) / q(z); (n,), (draws, n, d) and (n, draws).

    Draws come from the encoder's q(z | x). For a row with holes, whose pattern the encoder may
    never have met, they come in turns from q(z | x), from a normal fitted to that row and from
    the prior, and the weights are those of this mixture (Veach, Guibas 1995).
    """
    varies = learned(model)["cells"]["varies"] > 0
    holes = x.rows_with_holes(varies)
    for rows, block, noise in _with_noise(model, x.where(~holes), n_draws):
        yield np.flatnonzero(~holes)[rows], *_of_rows(_draws_of_encoder, model, rows, block, noise)
    places, most = np.flatnonzero(holes), max(1, DENSE // x.shape[1])
    for some in (places[i : i + most] for i in range(0, len(places), most)):
        x_some = x.take(some)[:]
        fitted = refine(model, x_some, *near(model, x_some))
        for rows, block, noise in _with_noise(model, x_some, n_draws):
            z, log_q = _proposed(model, block, noise, *[_padded(part[rows], len(block)) for part in fitted])
            log_w = _run(_joint, model, block, z)[0] - log_q
            yield some[rows], z[:, : len(rows)], _by_draw(log_w, rows)


def near(model: Model, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-scale of normals near q(z | x), kept from extremes, (rows, d) each."""
    mean, log_scale = _by_row(_moments, model, _encoding_height(model), x)
    draws = prior_sample(model, np.asarray(normal_quantile(_sobol(PRIOR_DRAWS, model.network.latent_dim))))
    center, reach = draws.mean(axis=0), FURTHEST * draws.std(axis=0)
    return mean.clip(center - reach, center + reach), log_scale.clip(NARROWEST, 0.0)


def refine(
    model: Model, x: np.ndarray, mean: np.ndarray, log_scale: np.ndarray, height: int = REFINE_HEIGHT
) -> tuple[np.ndarray, np.ndarray]:
    """The normals that bring up the ELBO of each row's observed cells, from the given ones on, (rows, d) each."""
    points = _sobol(REFINE_STEPS * REFINE_DRAWS, model.network.latent_dim)
    points = points.reshape(REFINE_STEPS, REFINE_DRAWS, 1, -1)
    shifts = _row_shifts(x, model.network.latent_dim)
    mean, log_scale = _by_row(_refined, model, height, x, mean, log_scale, shifts, points=points)
    return mean, log_scale + WIDER


def _proposed(model: Model, x: np.ndarray, noise: np.ndarray, mean: np.ndarray, log_scale: np.ndarray) -> tuple:
    """Draws from q(z | x), the fitted normal and the prior, in turns, and their log-density under the mixture."""
    turn = np.resize(TURNS, len(noise))
    prior = prior_sample(model, noise.reshape(-1, noise.shape[-1])).reshape(noise.shape)
    encoder = _run(_draws_of_q, model, x, noise)[0]
    z = np.choose(turn[:, None, None], [encoder, mean + np.exp(log_scale) * noise, prior])
    standard = (z - mean) * np.exp(-log_scale)
    fitted = -(0.5 * (standard**2 + LOG_2PI) + log_scale).sum(axis=-1)
    log_prior_ = log_prior(model, z.reshape(-1, z.shape[-1])).reshape(z.shape[:2])
    shares = np.bincount(turn, minlength=3) / len(turn)
    return z, logsumexp([_run(_log_q, model, x, z)[0], fitted, log_prior_], b=shares[:, None, None], axis=0)


def log_joint(model: Model, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """log p(x, z) of one row, (1, cells), at many points (draws, d), (draws,)."""
    blocks = [_run(_joint, model, x, z[:, None])[0][:n, 0] for n, (z,) in _blocks(min(JOINT, _height(model, 1)), z)]
    return np.concatenate(blocks).astype(np.float64)


def prior_sample(model: Model, noise: np.ndarray) -> np.ndarray:
    """Latent points of the prior made from standard normal noise, of its shape."""
    return np.array(model.network.prior_sample(learned(model), noise))


def log_prior(model: Model, z: np.ndarray) -> np.ndarray:
    """log p(z) of latent points (draws, d), (draws,)."""
    return _by_row(_log_prior, model, HEIGHT, z)[0].astype(np.float64)


def trainable(model: Model) -> Model:
    """The model with the prior that training goes by."""
    prior = model.network.prior
    return model if prior.in_training == prior else _with_prior(model, prior.in_training, {})


def finished(model: Model, prior: Any, x: Cells, rng: np.random.Generator) -> Model:
    """A trained model with the prior asked for, fitted to latent points of some training rows if need be."""
    if prior == model.network.prior:
        return model
    some = x.take(rng.permutation(len(x))[:FITTED_ROWS])
    z = posterior_sample(model, some, rng.standard_normal((1, len(some), model.network.latent_dim), np.float32))[0]
    return _with_prior(model, prior, prior.fitted(z, int(rng.integers(2**31))))


def _with_prior(model: Model, prior: Any, arrays: dict) -> Model:
    return Model(*with_prior(model.network, model.weights, prior, arrays), model.constants)


def lower_bound(model: Model, x: Cells, n_draws: int) -> tuple[float, np.ndarray]:
    """The ELBO in nats per row, and the nats that each latent dimension carries, (latent_dim,).

    Where the KL has no closed form, the second is its total, (1,).
    """
    log_liks, kls = 0.0, 0.0
    for rows, block, noise in _with_noise(model, x, n_draws):
        log_lik, kl = _run(_terms, model, block, noise)
        log_liks += log_lik[:, : len(rows)].sum(dtype=np.float64) / n_draws
        kls += kl[: len(rows)].sum(axis=0, dtype=np.float64)
    kl = kls / len(x)
    return float(log_liks / len(x) - kl.sum()), kl


# What is compiled: functions of (network, w, arrays) that give a tuple ------------------


def _mean(network: Network, w: dict, x: Any) -> tuple:
    return (network.posterior.mean(w["posterior"], network.encode(w, x, Inference())),)


def _features(network: Network, w: dict, x: Any) -> tuple:
    return (network.features(w, x),)


def _sample(network: Network, w: dict, x: Any, by_row: Any) -> tuple:
    z, _ = network.posterior.sample(w["posterior"], network.encode(w, x, Inference()), tf.transpose(by_row, [1, 0, 2]))
    return (tf.transpose(z, [1, 0, 2]),)


def _decode(network: Network, w: dict, z: Any) -> tuple:
    return (network.decode(w, z, Inference()),)


def _terms(network: Network, w: dict, x: Any, noise: Any) -> tuple:
    _, log_lik, log_ratio, kl = network.terms(w, x, noise, Inference())
    return log_lik, tf.reduce_mean(log_ratio, axis=0)[:, None] if kl is None else kl


def _draws_of_encoder(network: Network, w: dict, x: Any, noise: Any) -> tuple:
    z, log_q = network.posterior.sample(w["posterior"], network.encode(w, x, Inference()), noise)
    return z, _log_joint(network, w, x, z) - log_q


def _draws_of_q(network: Network, w: dict, x: Any, noise: Any) -> tuple:
    return (network.posterior.sample(w["posterior"], network.encode(w, x, Inference()), noise)[0],)


def _log_q(network: Network, w: dict, x: Any, draws: Any) -> tuple:
    return (network.posterior.log_prob(w["posterior"], network.encode(w, x, Inference()), draws),)


def _joint(network: Network, w: dict, x: Any, draws: Any) -> tuple:
    return (_log_joint(network, w, x, draws),)


def _log_prior(network: Network, w: dict, z: Any) -> tuple:
    return (network.log_prior(w, z),)


def _log_joint(network: Network, w: dict, x: Any, z: Any) -> Any:
    return network.log_likelihood(w, x, z, Inference()) + network.log_prior(w, z)


def _moments(network: Network, w: dict, x: Any) -> tuple:
    raw = network.encode(w, x, Inference())
    moments = network.posterior.moments(w["posterior"], raw)
    mean = network.posterior.mean(w["posterior"], raw)
    return mean, tf.zeros_like(mean) if moments is None else moments[1]


def _refined(network: Network, w: dict, x: Any, mean: Any, log_scale: Any, shifts: Any, points: Any) -> tuple:
    start, end = REFINE_RATE

    def step(i: Any, q: Any, m: Any, v: Any) -> tuple:
        noise = normal_quantile((points[i] + shifts) % 1.0)
        with tf.GradientTape() as tape:
            tape.watch(q)
            bound = tf.reduce_mean(_log_joint(network, w, x, q[0] + tf.exp(q[1]) * noise), axis=0)
            bound += tf.reduce_sum(q[1], axis=-1)
        gradient = tape.gradient(bound, q)
        m, v = 0.9 * m + 0.1 * gradient, 0.99 * v + 0.01 * gradient * gradient
        t = tf.cast(i + 1, tf.float32)
        rate = start * (end / start) ** (t / REFINE_STEPS)
        return i + 1, q + rate * (m / (1 - 0.9**t)) / (tf.sqrt(v / (1 - 0.99**t)) + 1e-8), m, v

    q = tf.stack([mean, log_scale])
    state = tf.constant(0), q, tf.zeros_like(q), tf.zeros_like(q)
    q = tf.while_loop(lambda i, *_: i < REFINE_STEPS, step, state, parallel_iterations=1)[1]
    return q[0], q[1]


@lru_cache(maxsize=128)
def _compiled(function: Callable, network: Network, mapped: int = 0) -> Callable:
    """One of the functions above for an architecture; later calls reuse it without tracing.

    Of its arrays the first `mapped` come in blocks, and its outputs are stacked.
    """
    read = reader(network)
    d = network.latent_dim
    rows, latent, draws = ([None, network.n_cells], [None, d], [None, None, d])
    shapes = {"x": rows, "z": latent, "mean": latent, "log_scale": latent, "shifts": latent}
    shapes |= {"noise": draws, "by_row": draws, "draws": draws, "points": [REFINE_STEPS, REFINE_DRAWS, 1, d]}
    names = list(signature(function).parameters)[2:]
    specs = [tf.TensorSpec([None] * (i < mapped) + shapes[name]) for i, name in enumerate(names)]
    vector = tf.TensorSpec([None])

    @tf.function(autograph=False, input_signature=[vector, vector, *specs])
    def run(weights: Any, constants: Any, *arrays: Any) -> tuple:
        w = read(weights, constants)
        if not mapped:
            return function(network, w, *arrays)
        blocks, others = arrays[:mapped], arrays[mapped:]

        def of_block(block: tuple) -> Any:
            return tf.stack(function(network, w, *block, *others))

        return (tf.map_fn(of_block, blocks, fn_output_signature=tf.float32, parallel_iterations=AT_ONCE),)

    return run.get_concrete_function()


def _run(function: Callable, model: Model, *arrays: np.ndarray, mapped: int = 0) -> list[np.ndarray]:
    # TensorFlow takes half of a call's time for arrays
    tensors = map(tensor, (model.weights, model.constants, *arrays))
    return [output.numpy() for output in _compiled(function, model.network, mapped)(*tensors)]


# Blocks of one height --------------------------------------------------------------------


def _height(model: Model, n_draws: int) -> int:
    """Rows in a block with that many draws of each."""
    draws = min(DRAWS, NUMBERS // model.network.numbers_per_draw)
    return _even(min(draws // n_draws, NUMBERS // model.network.encoder.widest), n_draws)


def _encoding_height(model: Model) -> int:
    """Rows in a block that is encoded."""
    return _even(min(HEIGHT, NUMBERS // model.network.encoder.widest))


def _even(height: int, n_draws: int = 1) -> int:
    """The next lower height that leaves no row over; or else one row, which is always in the same place."""
    steps = [lcm(PACKED, unit // gcd(unit, n_draws)) for unit in UNITS]
    return next((height // step * step for step in steps if step <= height), 1)


def _by_row(function: Callable, model: Model, height: int, *arrays: np.ndarray, **more: np.ndarray) -> list[np.ndarray]:
    """What a function of rows alone gives for all rows."""
    groups = zip(*_by_group(function, model, height, *arrays, **more), strict=True)
    return [np.concatenate(group) for group in groups]


def _by_group(
    function: Callable, model: Model, height: int, *arrays: np.ndarray, **more: np.ndarray
) -> Iterator[list[np.ndarray]]:
    """The same, group by group of rows."""
    widest = max(model.network.decoder.n_out, *(array[:1].size for array in arrays))
    rows = height * max(1, min(GROUP, NUMBERS // widest) // height)
    for start in range(0, len(arrays[0]), rows):
        group = [array[start : start + rows] for array in arrays]
        n = len(group[0])
        blocks = [_padded(array, -(-n // height) * height).reshape(-1, height, *array.shape[1:]) for array in group]
        out = _run(function, model, *blocks, *more.values(), mapped=len(blocks))[0]
        yield [part.reshape(-1, *part.shape[2:])[:n] for part in out.swapaxes(0, 1)]


def _of_rows(function: Callable, model: Model, rows: np.ndarray, *arrays: np.ndarray) -> tuple:
    """Draws and the logarithms of their weights, of the true rows of a block."""
    z, log_w = _run(function, model, *arrays)
    return z[:, : len(rows)], _by_draw(log_w, rows)


def _by_draw(log_w: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Logarithms of the true rows in float64, (n, draws): sums over draws do not depend on how many rows there are."""
    return np.ascontiguousarray(log_w[:, : len(rows)].T, dtype=np.float64)


def _with_noise(
    model: Model, x: Cells | np.ndarray, n_draws: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Blocks of rows: their places, the rows filled up to one height, and noise that depends on each row alone."""
    points, varies = _sobol(n_draws, model.network.latent_dim)[:, None], learned(model)["cells"]["varies"] > 0
    for start, (n, (block,)) in zip(
        range(0, len(x), height := _height(model, n_draws)), _blocks(height, x), strict=True
    ):
        shifts = _row_shifts(
            block if varies.all() else np.where(varies, block, np.float32(0)), model.network.latent_dim
        )
        yield np.arange(start, start + n), block, np.asarray(normal_quantile((points + shifts) % np.float32(1)))


def _blocks(height: int, *arrays: np.ndarray) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Slices of one height, the last filled with zeros, each with its number of true rows."""
    for start in range(0, len(arrays[0]), height):
        blocks = [array[start : start + height] for array in arrays]
        yield len(blocks[0]), [_padded(block, height) for block in blocks]


def _padded(block: np.ndarray, height: int) -> np.ndarray:
    if len(block) == height:
        return block
    padded = aligned((height, *block.shape[1:]), block.dtype)
    padded[: len(block)], padded[len(block) :] = block, 0.0
    return padded


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
    x = x + np.float32(0)  # one zero of two, and one hole of many
    if np.isnan(np.min(x, initial=0.0)):
        x[np.isnan(x)] = np.nan
    bits, odd = x.view(np.uint32), _odd_numbers(x.shape[1])
    hashes = np.einsum("ij,j->i", bits, odd, dtype=np.uint64)  # casts some at a time
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
