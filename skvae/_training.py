"""Training: one compiled call per epoch, early stopping; returns weights and curves, keeps no state."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache, partial
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from skvae._layers import Inference
from skvae._memory import aligned, tensor
from skvae._network import Network, arrays_of, n_weights, reader, with_states
from skvae._optimizer import Steps, adam
from skvae._sklearn import warn
from skvae.table import Cells, Parts

CHUNK = 32  # most steps whose rows and random numbers are fetched at once
CHUNK_NUMBERS = 2**24  # most numbers fetched at once: 64 MiB
XLA_SAVES = 0.3e-3, 7e-9  # seconds of a step, and for each weight
XLA_PAYS = 0.4  # seconds to save in a fit from which on XLA is used: it compiles for longer, but once for many fits
SHORT_SUM = 32  # most numbers that XLA adds up without a pass of their own
CLIP = 10.0  # largest gradient norm, per square root of the number of cells
START_ROWS, START_STEPS, START_BATCH, START_RATE = (
    2000,
    2000,
    128,
    2e-3,
)  # of fitting to an embedding
START_SCALE = 0.1  # of q(z | x) around the embedding, whose dimensions have the scale 1
VALIDATION_DRAWS = 4000  # draws of z over all validation rows: enough to tell epochs apart
BLOCK, NUMBERS = (
    4096,
    2**23,
)  # most validation rows x draws at once, and most numbers that a layer gives for them


class State(NamedTuple):
    """What an optimiser step changes."""

    weights: Any
    slots: tuple  # the optimiser's own arrays


class Rates(NamedTuple):
    """What may differ from epoch to epoch."""

    dropout: Any
    hide: Any
    learning_rate: Any
    beta: Any


_SPARSE = Parts(
    tf.TensorSpec([None], tf.int64),
    tf.TensorSpec([None], tf.int32),
    tf.TensorSpec([None]),
    tf.TensorSpec([None]),
)


class Program(NamedTuple):
    """The compiled functions of one architecture."""

    epoch: Callable
    steps: Steps


def limit_threads() -> None:
    """Let TensorFlow take the threads that OMP_NUM_THREADS allows, as joblib's workers need, where it may be told."""
    limit, told = (
        os.environ.get("OMP_NUM_THREADS", ""),
        tf.config.threading.get_intra_op_parallelism_threads(),
    )
    if limit.isdecimal() and int(limit) and not told and "TF_NUM_INTRAOP_THREADS" not in os.environ:
        with suppress(RuntimeError):  # it runs already
            tf.config.threading.set_intra_op_parallelism_threads(int(limit))


@lru_cache(maxsize=32)
def compiled(
    network: Network,
    optimizer: Callable,
    n_draws: int,
    dropout: bool,
    hide: bool,
    xla: bool,
    sparse: bool = False,
) -> Program:
    """The program of an architecture; later fits of the same one reuse it without tracing."""
    steps = optimizer(n_weights(network))
    slots = steps.start(np.zeros(n_weights(network), np.float32))
    hashed, shapes = xla and dropout, partial(_droppable, network, n_draws)
    taken = _chunk(network, steps, xla, shapes if hashed else None)
    chunk = tf.function(taken, jit_compile=xla, autograph=False)
    vector, scalar = tf.TensorSpec([None]), tf.TensorSpec([])
    state_spec = State(
        vector, tuple(tf.TensorSpec([None] * slot.ndim, slot.dtype) for slot in slots)
    )

    @tf.function(
        autograph=False,
        input_signature=[
            state_spec,
            vector,
            _SPARSE if sparse else tf.TensorSpec([None, network.n_cells]),
            tf.TensorSpec([None] * 3, tf.int32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([2], tf.int32),
            Rates(scalar, scalar, scalar, scalar),
        ],
    )
    def epoch(state, constants, rows, order, n_steps, seed, rates):
        chunks, length, batch = tf.unstack(tf.shape(order))

        def run(c, state, sums):
            seeds = tf.random.split(tf.random.fold_in(seed, c), 3 + len(shapes(batch)))
            noise = tf.random.stateless_normal(
                (length, n_draws, batch, network.latent_dim), seeds[0]
            )
            keep = (
                seeds[3:]
                if hashed
                else _random_bits(length, shapes(batch), seeds[3:])
                if dropout
                else []
            )
            left = tf.minimum(length, n_steps - c * length)
            x = _dense(rows, order[c]) if sparse else tf.gather(rows, order[c])
            x = _hidden(x, rates.hide, seeds[1:3]) if hide else x
            state, more = chunk(state, constants, x, noise, keep, left, rates)
            return c + 1, State(*state), sums + more

        start = (tf.constant(0), State(*state), tf.zeros(3))
        _, state, sums = tf.while_loop(lambda c, *_: c < chunks, run, start, parallel_iterations=1)
        return state, sums / tf.cast(n_steps, tf.float32)

    return Program(epoch.get_concrete_function(), steps)


def _chunk(network: Network, steps: Steps, xla: bool, hashed: Callable | None) -> Callable:
    """The function that takes the steps of a chunk; `hashed` gives the shapes of masks that it makes itself."""
    read = reader(network)
    apart = xla and steps.elementwise  # XLA copies whatever is cut from a vector, in each step

    def mean_losses(weights, constants, x, noise, mode, beta):
        loss, *others = network.losses(read(weights, constants), x, noise, mode, beta)
        return tf.stack(
            [tf.add_n([tf.reduce_mean(loss), *mode.penalties]), *map(tf.reduce_mean, others)]
        )

    def chunk(state, constants, x, noise, keep, n_steps, rates):
        state, rates = State(*state), Rates(*rates)

        def step(i, states, sums):
            bits = _hashed_bits(i, hashed(tf.shape(x)[1]), keep) if hashed else [k[i] for k in keep]
            mode = Step(bits, rates.dropout)
            weights = [state.weights for state in states]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                means = mean_losses(
                    weights if apart else weights[0], constants, x[i], noise[i], mode, rates.beta
                )
                loss = means[0]
            gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
            gradients = _clipped(gradients, CLIP * network.n_cells**0.5)
            states = [
                State(*steps.update(*state, gradient, rates.learning_rate))
                for state, gradient in zip(states, gradients, strict=True)
            ]
            if mode.states:
                (state,) = states
                states = [state._replace(weights=with_states(network, state.weights, mode.states))]
            return i + 1, states, sums + means

        states = _apart(state, partial(arrays_of, network)) if apart else [state]
        start = (tf.constant(0), states, tf.zeros(3))
        _, states, sums = tf.while_loop(
            lambda i, *_: i < n_steps, step, start, parallel_iterations=1
        )
        return _together(states, state.slots) if apart else states[0], sums

    return chunk


def _droppable(network: Network, n_draws: int, batch: Any) -> list[tuple]:
    """The rows and units of each layer in which units may be dropped."""
    before, after = network.encoder.hidden, network.decoder.hidden
    return [(batch, width) for width in before] + [(n_draws * batch, width) for width in after]


@lru_cache(maxsize=32)
def _compiled_losses(network: Network) -> Callable:
    """The program that gives the loss of each validation row."""
    read = reader(network)
    vector, rows, seed = (
        tf.TensorSpec([None]),
        tf.TensorSpec([None, network.n_cells]),
        tf.TensorSpec([2], tf.int32),
    )

    @tf.function(
        autograph=False,
        input_signature=[
            vector,
            vector,
            rows,
            tf.TensorSpec([], tf.int32),
            seed,
            tf.TensorSpec([]),
        ],
    )
    def losses(weights, constants, x, draws, seed, beta):
        noise = tf.random.stateless_normal((draws, tf.shape(x)[0], network.latent_dim), seed)
        return network.losses(
            read(weights, constants), x, noise, Inference(), beta, validation=True
        )[0]

    return losses.get_concrete_function()


@lru_cache(maxsize=8)
def _compiled_start(network: Network, xla: bool) -> Callable:
    """The program that fits an encoder and a decoder to an embedding: all steps in one call."""
    read = reader(network)
    steps = adam(n_weights(network))

    def mean_loss(vector, constants, x, z, noise):
        w = read(vector, constants)
        drawn, log_q = network.posterior.sample(
            w["posterior"], network.encode(w, x, Inference()), noise[None]
        )
        away = tf.reduce_sum(((drawn - z) / START_SCALE) ** 2, axis=-1)
        return tf.reduce_mean(log_q + 0.5 * away - network.log_likelihood(w, x, drawn, Inference()))

    vector, d = tf.TensorSpec([None]), network.latent_dim
    signature = [
        vector,
        vector,
        tf.TensorSpec([START_ROWS, network.n_cells]),
        tf.TensorSpec([START_ROWS, d]),
        tf.TensorSpec([START_STEPS, START_BATCH], tf.int32),
        tf.TensorSpec([START_STEPS, START_BATCH, d]),
        tf.TensorSpec([START_STEPS]),
    ]

    @tf.function(autograph=False, jit_compile=xla, input_signature=signature)
    def run(weights, constants, x, z, order, noise, rates):
        def step(i, state):
            with tf.GradientTape() as tape:
                tape.watch(state.weights)
                loss = mean_loss(
                    state.weights,
                    constants,
                    tf.gather(x, order[i]),
                    tf.gather(z, order[i]),
                    noise[i],
                )
            (gradient,) = _clipped(
                [tape.gradient(loss, state.weights)], CLIP * network.n_cells**0.5
            )
            return i + 1, State(*steps.update(*state, gradient, rates[i]))

        start = (
            tf.constant(0),
            State(weights, steps.start(np.zeros(n_weights(network), np.float32))),
        )
        return tf.while_loop(lambda i, _: i < START_STEPS, step, start, parallel_iterations=1)[
            1
        ].weights

    return run


def started_at(
    network: Network,
    weights: np.ndarray,
    constants: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Weights of an encoder and a decoder fitted to an embedding z, (rows, d), of rows x.

    It is the ELBO with a narrow normal around its own place in z as the prior of each row.
    """
    x, z = (
        np.resize(array, (START_ROWS, array.shape[1])) for array in (x, z)
    )  # again and again, up to one height
    order = rng.integers(START_ROWS, size=(START_STEPS, START_BATCH), dtype=np.int32)
    noise = rng.standard_normal((*order.shape, network.latent_dim), np.float32)
    rates = START_RATE * np.linspace(1, 0, START_STEPS, dtype=np.float32)
    run = _compiled_start(network, _xla_pays(network, START_STEPS))
    return run(weights, constants, x, z, order, noise, rates).numpy()


def _dense(rows: Parts, order: Any) -> Any:
    """The rows at some places (length, batch), dense."""
    places = tf.reshape(order, [-1])
    starts = tf.gather(rows.starts, places)
    own = tf.ragged.range(starts, tf.gather(rows.starts, places + 1))
    columns = tf.cast(tf.gather(rows.columns, own.values), tf.int64)
    x = tf.tile(rows.base[None], [tf.size(places), 1])
    x = tf.tensor_scatter_nd_update(
        x, tf.stack([own.value_rowids(), columns], axis=1), tf.gather(rows.cells, own.values)
    )
    return tf.reshape(x, [*tf.unstack(tf.shape(order)), -1])


def _hidden(x: Any, share: Any, seeds: Any) -> Any:
    """Rows with cells turned into holes at random; the share varies from row to row, around its mean."""
    rates = share + tf.minimum(share, 1.0 - share) * tf.random.stateless_uniform(
        (*tf.unstack(tf.shape(x)[:-1]), 1), seeds[0], -1.0, 1.0
    )
    return tf.where(
        tf.random.stateless_uniform(tf.shape(x), seeds[1]) < rates, np.float32(np.nan), x
    )


class Step:
    """How layers behave in a step of training, and what they leave."""

    training = True

    def __init__(self, keep: list, rate: Any):
        self.bits, self.rate = iter(keep) if keep else None, rate
        self.states, self.penalties = {}, []

    def drop(self, x: Any) -> Any:
        """Hidden units, dropped where random bits say so; none where there are no bits."""
        if self.bits is None:
            return x
        kept = tf.cast(next(self.bits), tf.int32) >= tf.cast(self.rate * 65536.0, tf.int32)
        return tf.where(kept, x / (1.0 - self.rate), 0.0)

    def note(self, part: str, state: list, penalties: list) -> None:
        """Take note of the new state of a stack and of penalties on its weights."""
        self.states |= {part: state} if state else {}
        self.penalties += penalties


def _random_bits(length: Any, shapes: list, seeds: Any) -> list:
    bits = []
    for (n, width), seed in zip(shapes, tf.unstack(seeds), strict=True):
        pairs = tf.random.stateless_uniform(
            (length, n, (width + 1) // 2), seed, None, None, tf.int32
        )
        bits.append(tf.reshape(tf.bitcast(pairs, tf.uint16), (length, n, -1))[..., :width])
    return bits


def _hashed_bits(i: Any, shapes: list, seeds: Any) -> list:
    """16 bits for each hidden unit in step i, in 32-bit integers: hashes of places, which XLA fuses with their use."""
    bits = []
    for (n, width), seed in zip(shapes, tf.unstack(tf.bitcast(seeds, tf.uint32)), strict=True):
        places = tf.reshape(tf.range(n * width) + i * (n * width), (n, width))
        sequence = (tf.bitcast(places, tf.uint32) + seed[0]) * tf.bitwise.bitwise_or(
            seed[1], np.uint32(1)
        )
        bits.append(tf.bitwise.right_shift(_murmur(sequence), np.uint32(16)))
    return bits


def _murmur(h: Any) -> Any:
    """The finaliser of MurmurHash3 (Appleby 2011): random numbers out of a sequence of any odd step.

    So SplitMix makes its own (Steele, Lea, Flood 2014).
    """
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        h = tf.bitwise.bitwise_xor(h, tf.bitwise.right_shift(h, np.uint32(shift))) * np.uint32(
            factor
        )
    return h


def _clipped(gradients: list, largest: float) -> list:
    norm = tf.sqrt(tf.add_n(list(map(_sum_of_squares, gradients))))
    return [gradient * (largest / tf.maximum(norm, largest)) for gradient in gradients]


def _sum_of_squares(x: Any) -> Any:
    """In two sums, where the size is known: XLA fuses short sums with what they add up, but not long ones."""
    size = x.shape.num_elements() or 1
    few = max(n for n in range(1, SHORT_SUM + 1) if size % n == 0)
    squares = tf.reduce_sum(tf.reshape(x, (few, -1)) ** 2, axis=0)
    return tf.reduce_sum(
        tf.maximum(squares, 0.0)
    )  # the maximum does nothing but keep XLA from one long sum


def _apart(state: State, cut: Callable) -> list[State]:
    """The state of each array of weights."""
    slots = [cut(slot) if slot.shape.rank else repeat(slot) for slot in state.slots]
    return [State(weights, own) for weights, *own in zip(cut(state.weights), *slots, strict=False)]


def _together(states: list[State], slots: tuple) -> State:
    """The state of all weights; `slots` has the ranks of the optimiser's arrays."""
    columns = zip(*(state.slots for state in states), strict=True)
    joined = [
        _joined(column) if slot.shape.rank else column[0]
        for slot, column in zip(slots, columns, strict=True)
    ]
    return State(_joined(state.weights for state in states), tuple(joined))


def _joined(arrays: Iterable) -> Any:
    return tf.concat([tf.reshape(array, [-1]) for array in arrays], axis=0)


class Data(NamedTuple):
    """What training reads."""

    constants: np.ndarray  # what was learned from the table once
    rows: Cells
    validation: Cells | None


def train(
    network: Network,
    weights: np.ndarray,
    slots: tuple | None,
    data: Data,
    *,
    rng: np.random.Generator,
    optimizer: Callable,
    n_draws: int,
    batch_size: int,
    dropout: float,
    hide: float,
    learning_rate: float,
    betas: np.ndarray,
    n_iter_no_change: int | None,
    tol: float,
    report: Callable,
) -> tuple[State, np.ndarray]:
    """The best state of len(betas) epochs at most, and the curves, (epochs, 5).

    `slots` are those of the state that an earlier training ended with; None starts anew.
    The learning rate is kept until the loss stalls for `n_iter_no_change` epochs, or until
    the last fifth of the epochs begins, and then falls linearly to zero. `n_iter_no_change`
    None trains for all the epochs and keeps the last state.
    """
    n_steps = -(-len(data.rows) // batch_size)
    length = _chunk_length(network, n_steps, batch_size, n_draws)
    sparse = data.rows.sparse
    xla = _xla_pays(network, len(betas) * n_steps)
    program = compiled(network, optimizer, n_draws, dropout > 0, hide > 0, xla, sparse)
    state = State(weights, program.steps.start(weights) if slots is None else slots)
    validate = _validator(network, data, rng, betas[-1])
    n_rows = len(data.rows)
    rows = Parts(*map(tensor, data.rows.arrays())) if sparse else tensor(data.rows.arrays())
    data = data._replace(rows=rows)
    pace = Pace(len(betas))
    watch = Watch(
        n_iter_no_change,
        tol,
        first_epoch=int(np.max(np.flatnonzero(betas != betas[-1]) + 1, initial=0)),
    )
    curves = np.empty((0, 5))
    while len(curves) < pace.end:
        epoch = len(curves)
        rates = Rates(dropout, hide, learning_rate * pace.rate(epoch), betas[epoch])
        try:
            state, means = _run_epoch(program, state, data, n_rows, rng, batch_size, length, rates)
            losses = validate(state, means)
        except KeyboardInterrupt:
            warn(
                f"Training interrupted in epoch {epoch + 1}: the model is that of the epochs before."
            )
            break
        curves = np.vstack([curves, [*means, betas[epoch], losses.mean()]])
        _check_finite(curves, learning_rate)
        report(epoch, curves[-1])
        if watch.stalls(epoch, losses, state):
            pace.fall_from(epoch + 1)
    return _on_host(watch.best_of(state)), curves


class Pace:
    """How the learning rate is kept and then falls, and when training ends."""

    COOL_DOWN = 0.25  # epochs with a falling rate per epoch before them

    def __init__(self, max_iter: int):
        self.end = max_iter
        self.fall = int(np.ceil(max_iter / (1 + self.COOL_DOWN)))

    def fall_from(self, epoch: int) -> None:
        if epoch < self.fall:
            self.fall = epoch
            self.end = min(self.end, epoch + int(np.ceil(self.COOL_DOWN * epoch)))

    def rate(self, epoch: int) -> float:
        """The share of the learning rate that an epoch gets."""
        return min(1.0, (self.end - epoch) / (self.end - self.fall + 1))


class Watch:
    """Keeps the best state and tells when the loss has stopped falling."""

    def __init__(self, patience: int | None, tol: float, first_epoch: int):
        self.patience, self.tol, self.first_epoch = patience, tol, first_epoch
        self.best = self.lowest = self.reference = None
        self.waited = 0

    def stalls(self, epoch: int, losses: np.ndarray, state: State) -> bool:
        """Take note of an epoch; whether `patience` epochs have passed without a gain."""
        if self.patience is None or epoch < self.first_epoch:
            return False
        if self.best is None or losses.mean() < self.lowest:
            self.lowest, self.best = losses.mean(), state
        if self.reference is None or _gain(self.reference, losses) > self.tol:
            self.reference, self.waited = losses, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def best_of(self, last: State) -> State:
        """The best state noted, or else the last one."""
        return last if self.best is None else self.best


def _gain(before: np.ndarray, after: np.ndarray) -> float:
    """By how much paired losses have fallen, beyond the standard error of their mean."""
    gains = before - after
    noise = gains.std(ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    return gains.mean() - noise


def _validator(network: Network, data: Data, rng: np.random.Generator, beta: float) -> Callable:
    """The function from a state to the losses that judge it: of each validation row, or the epoch's mean."""
    rows = data.validation
    if rows is None:
        return lambda state, means: means[:1]
    draws = max(1, VALIDATION_DRAWS // len(rows))
    height = max(1, min(BLOCK, NUMBERS // network.numbers_per_draw) // draws)
    starts = range(0, len(rows), height)
    seeds = _seeds(rng, len(starts))  # the same noise in every epoch
    losses = _compiled_losses(network)

    def validate(state: State, means: np.ndarray) -> np.ndarray:
        blocks = [
            losses(state.weights, data.constants, rows[i : i + height], draws, seed, beta)
            for i, seed in zip(starts, seeds, strict=True)
        ]
        return np.concatenate([block.numpy() for block in blocks]).astype(np.float64)

    return validate


def _xla_pays(network: Network, n_steps: int) -> bool:
    by_step, by_weight = XLA_SAVES
    saved = n_steps * (by_step + by_weight * n_weights(network))
    return network.encoder.xla and network.decoder.xla and saved >= XLA_PAYS


def _chunk_length(network: Network, n_steps: int, batch_size: int, n_draws: int) -> int:
    """Steps in a chunk: a power of two, since XLA compiles anew for every length."""
    dropped = sum(network.encoder.hidden) + n_draws * sum(network.decoder.hidden)
    numbers = batch_size * (network.n_cells + n_draws * network.latent_dim + dropped)
    most = max(1, min(CHUNK, CHUNK_NUMBERS // numbers))
    return min(2 ** (n_steps - 1).bit_length(), 2 ** (most.bit_length() - 1))


def _run_epoch(
    program: Program,
    state: State,
    data: Data,
    n_rows: int,
    rng: np.random.Generator,
    batch_size: int,
    length: int,
    rates: Rates,
) -> tuple[State, np.ndarray]:
    """One pass over the shuffled rows: the new state, and the mean loss, log-likelihood and KL."""
    n_steps = -(-n_rows // batch_size)
    shape = -(-n_steps // length), length, batch_size
    order = np.resize(rng.permutation(np.arange(n_rows, dtype=np.int32)), shape)
    with program.steps.guard:
        state, means = program.epoch(state, *data[:2], order, n_steps, _seeds(rng, 1)[0], rates)
    return state, means.numpy().astype(np.float64)


def _seeds(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(2**31, size=(n, 2), dtype=np.int32)


def _on_host(state: State) -> State:
    weights = aligned(state.weights.shape)
    weights[:] = state.weights
    return State(weights, tuple(map(np.asarray, state.slots)))


def _check_finite(curves: np.ndarray, learning_rate: float) -> None:
    if np.isfinite(curves[-1]).all():
        return
    raise ValueError(
        f"The loss became {curves[-1, 0]:g} in epoch {len(curves)} of training with learning_rate={learning_rate:g}; "
        "lower learning_rate, or raise batch_size, or transform columns with extreme values."
    )
