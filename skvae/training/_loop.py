"""Training as a value: from a state to the next one, after so many steps, until it ends."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from skvae.engine import (
    COUNT,
    NUMBER,
    ROWS,
    SEED,
    Program,
    Rates,
    Recipe,
    State,
    chunk_length,
    normal,
    rows_of,
    run,
    takes,
    trainer,
)
from skvae.model import Inference, Model
from skvae.table import Cells
from skvae.training._pace import Pace, Watch

VALIDATION_DRAWS = 4000  # draws of z over all validation rows: enough to tell epochs apart
BLOCK, NUMBERS = 4096, 2**23  # most rows x draws at once, and most numbers that a layer gives


class Task(NamedTuple):
    """What does not change while a model is trained."""

    model: Model
    recipe: Recipe
    rows: Cells
    validation: Cells | None
    batch_size: int
    dropout: float
    hide: float

    @property
    def n_steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.rows) // self.batch_size)


class TrainState(NamedTuple):
    """Training between two steps: all that goes on from here to the same bits."""

    state: State  # weights, and the optimiser's own arrays
    generator: dict  # the state of the generator of random numbers
    pace: Pace
    watch: Watch
    judges: np.ndarray  # seeds of the noise under which rows that are held out judge
    curves: np.ndarray  # (epochs, 5): loss, log-likelihood, KL, beta and validation loss
    steps: int = 0
    order: np.ndarray | None = (
        None  # rows of the epoch, (chunks, steps, batch); None between epochs
    )
    seed: np.ndarray | None = None  # of the epoch
    chunk: int = 0  # the next one of the epoch
    sums: np.ndarray = np.zeros(3, np.float32)  # of loss, log-likelihood and KL over its steps

    @property
    def ends_epoch(self) -> bool:
        """Whether an epoch has just ended."""
        return self.order is None

    @property
    def ended(self) -> bool:
        """Whether training has."""
        return self.ends_epoch and len(self.curves) >= self.pace.end


def generator_of(state: dict) -> np.random.Generator:
    """The generator of a state."""
    generator = np.random.Generator(np.random.PCG64(0))
    generator.bit_generator.state = state
    return generator


def begun(
    task: Task, slots: tuple | None, pace: Pace, watch: Watch, rng: np.random.Generator
) -> TrainState:
    """The state before the first step; `slots` None starts the optimiser anew."""
    program = trainer(task.model.architecture, task.recipe)
    weights = task.model.weights
    state = State(weights, program.steps.start(weights) if slots is None else slots)
    judges = _seeds(rng, 0 if task.validation is None else len(_blocks(task)))
    return TrainState(state, rng.bit_generator.state, pace, watch, judges, np.empty((0, 5)))


def states(task: Task, state: TrainState) -> Iterator[TrainState]:
    """The states that follow, one after every so many steps, until training ends."""
    program = trainer(task.model.architecture, task.recipe)
    rows = rows_of(task.rows.arrays())
    while not state.ended:
        state = _epoch_begun(task, state) if state.order is None else state
        state = _stepped(task, program, rows, state)
        if state.chunk == len(state.order):
            state = _epoch_ended(task, state)
        yield state


def _epoch_begun(task: Task, state: TrainState) -> TrainState:
    """The state with the rows of an epoch in their order."""
    rng, n_rows = generator_of(state.generator), len(task.rows)
    network, n_draws = task.model.network, task.recipe.n_draws
    length = chunk_length(network, task.n_steps, task.batch_size, n_draws)
    shape = -(-task.n_steps // length), length, task.batch_size
    order = np.resize(rng.permutation(np.arange(n_rows, dtype=np.int32)), shape)
    seed = _seeds(rng, 1)[0]
    return state._replace(
        generator=rng.bit_generator.state,
        order=order,
        seed=seed,
        chunk=0,
        sums=np.zeros(3, np.float32),
    )


def _stepped(task: Task, program: Program, rows: Any, state: TrainState) -> TrainState:
    """The state after some chunks of steps."""
    stop = len(state.order)
    epoch, length = len(state.curves), state.order.shape[1]
    rate = state.pace.learning_rate * state.pace.share(epoch)
    rates = Rates(task.dropout, task.hide, rate, state.pace.betas[epoch])
    place = np.array([state.chunk, task.n_steps], np.int32)
    order = state.order[state.chunk : stop]
    constants = task.model.constants
    with program.steps.guard:
        new, sums = program.chunks(
            state.state, state.sums, constants, rows, order, place, state.seed, rates
        )
    steps = min(stop * length, task.n_steps) - state.chunk * length
    return state._replace(state=new, sums=sums.numpy(), chunk=stop, steps=state.steps + steps)


def _epoch_ended(task: Task, state: TrainState) -> TrainState:
    """The state after an epoch has been judged."""
    epoch, pace = len(state.curves), state.pace
    means = (state.sums / np.float32(task.n_steps)).astype(np.float64)
    losses = _judged(task, state) if task.validation is not None else means[:1]
    curves = np.vstack([state.curves, [*means, pace.betas[epoch], losses.mean()]])
    _check_finite(curves, pace.learning_rate)
    watch = state.watch.seen(epoch, losses, state.state)
    pace = pace.falling_from(epoch + 1) if watch.stalls else pace
    return state._replace(pace=pace, watch=watch, curves=curves, order=None, seed=None, chunk=0)


def _blocks(task: Task) -> range:
    """Where blocks of held-out rows start."""
    rows, network = task.validation, task.model.network
    height = max(1, min(BLOCK, NUMBERS // network.numbers_per_draw) // _validation_draws(rows))
    return range(0, len(rows), height)


def _validation_draws(rows: Cells) -> int:
    return max(1, VALIDATION_DRAWS // len(rows))


def _judged(task: Task, state: TrainState) -> np.ndarray:
    """The loss of each row that is held out, at the last beta."""
    starts, draws = _blocks(task), np.int32(_validation_draws(task.validation))
    model, beta = task.model._replace(weights=state.state.weights), state.pace.betas[-1]
    blocks = [
        run(_losses, model, task.validation[i : i + starts.step], draws, seed, np.float32(beta))[0]
        for i, seed in zip(starts, state.judges, strict=True)
    ]
    return np.concatenate(blocks).astype(np.float64)


@takes(ROWS, COUNT, SEED, NUMBER)
def _losses(network: Any, w: dict, x: Any, draws: Any, seed: Any, beta: Any) -> tuple:
    noise = normal((draws, ops.shape(x)[0], network.latent_dim), seed)
    return (network.losses(w, x, noise, Inference(), beta, validation=True)[0],)


def _seeds(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(2**31, size=(n, 2), dtype=np.int32)


def _check_finite(curves: np.ndarray, learning_rate: float) -> None:
    if np.isfinite(curves[-1]).all():
        return
    raise ValueError(
        f"The loss became {curves[-1, 0]:g} in epoch {len(curves)} of training with "
        f"learning_rate={learning_rate:g}; lower learning_rate, or raise batch_size, or transform "
        "columns with extreme values."
    )
