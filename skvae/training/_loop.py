"""Training as a value: from a state to the next one, after so many steps, until it ends."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skvae._math import ops
from skvae.engine import (
    NUMBER,
    ROWS,
    SEED,
    Program,
    Rates,
    Recipe,
    Shape,
    State,
    check_alike,
    chunk_length,
    mean_of,
    normal,
    rows_of,
    run,
    takes,
    trainer,
    workers,
)
from skvae.model import Model, Network
from skvae.table import Cells
from skvae.training._pace import Pace, Watch

VALIDATION_DRAWS = 1000  # of z over all validation rows, the same in each part: enough to compare
BLOCK, NUMBERS = 4096, 2**23  # most rows x draws at once, and most numbers that a layer gives
PART = 1000  # most steps between two looks at rows that are held out
PIECE = 4096, 5e10  # most steps between two states, and most multiplications: about a second's


class Task(NamedTuple):
    """What does not change in a stage of training."""

    model: Model
    recipe: Recipe
    rows: Cells
    validation: Cells | None
    batch_size: int
    dropout: float
    hide: float

    @property
    def program(self) -> Program:
        """The compiled steps."""
        # the few rows of pieces may be other ones each time
        full = None if self.batch_size == len(self.rows) else self.batch_size
        return trainer(self.model.architecture, self.recipe, full)

    def told(self) -> tuple:
        """What workers that train together have to have in common."""
        judging = 0 if self.validation is None else len(self.validation)
        recipe = self.recipe._replace(loss=None, optimizer=None, judge=None)
        return recipe, self[4:], self.rows.heights, judging, self.piece

    def kept(self, state: State) -> Model:
        """The model with the weights of a state that are judged and kept."""
        return self.model._replace(weights=self.program.steps.kept(state))

    @property
    def n_steps(self) -> int:
        """Steps of an epoch."""
        return len(self.rows.heights) * self.block_steps

    @property
    def block_steps(self) -> int:
        """Steps of a block of rows; a lower one comes with some rows twice."""
        return -(-max(self.rows.heights) // self.batch_size)

    @property
    def length(self) -> int:
        """Steps of a chunk, which a program takes at once."""
        network, n_draws = self.model.network, self.recipe.n_draws
        return chunk_length(network, self.block_steps, self.batch_size, n_draws)

    @property
    def ends(self) -> list[int]:
        """Of the parts of a block, in chunks."""
        n_chunks = -(-self.block_steps // self.length)
        n_parts = min(n_chunks, -(-self.block_steps // PART))
        return [(i + 1) * n_chunks // n_parts for i in range(n_parts)]

    @property
    def n_parts(self) -> int:
        """Of an epoch."""
        return len(self.rows.heights) * len(self.ends)

    @property
    def piece(self) -> int:
        """Chunks between two states."""
        most, numbers = PIECE
        by_row = self.model.network.cost(self.recipe.n_draws)
        steps = min(most, numbers / (6 * self.batch_size * by_row))
        return max(1, int(steps) // self.length)


class TrainState(NamedTuple):
    """Training between two steps: all that goes on from here to the same bits."""

    state: State  # weights, and the optimiser's own arrays
    generator: dict  # the state of the generator of random numbers
    pace: Pace
    watch: Watch
    judges: np.ndarray  # seeds of the noise under which rows that are held out judge
    curves: np.ndarray  # (parts, 6): loss, log-likelihood, KL, beta, validation loss and steps
    before: Any = None  # the last state of the stage before, where there is one
    steps: int = 0  # done in all
    blocks: tuple = ()  # of rows, that are left of the epoch, the one in work first
    order: np.ndarray | None = None  # of its rows, (chunks, steps, batch); None between two
    seed: np.ndarray | None = None  # of the block
    chunk: int = 0  # the next one of the block
    # Loss at the last beta, log-likelihood and KL in steps of the part.
    sums: np.ndarray = np.zeros(3, np.float32)
    summed: int = 0  # so many steps

    @property
    def ends_epoch(self) -> bool:
        """Whether an epoch has just ended, or none has begun."""
        return not self.blocks

    @property
    def part(self) -> int:
        """The number of the part in which training is."""
        return len(self.curves)

    @property
    def epochs(self) -> int:
        """Epochs of which there is a judged part."""
        return -(-self.part // self.pace.parts)

    @property
    def ended(self) -> bool:
        """Whether training has."""
        return self.summed == 0 and self.part >= self.pace.end

    def by_epoch(self) -> np.ndarray:
        """The curves of epochs: means over their steps, and beta and validation loss at the end."""
        if self.pace.parts == 1 or not self.part:
            return self.curves[:, :5]
        starts = np.arange(0, self.part, self.pace.parts)
        terms, ends, steps = np.split(self.curves, [3, 5], axis=1)
        means = np.add.reduceat(terms * steps, starts) / np.add.reduceat(steps, starts)
        return np.hstack([means, ends[np.append(starts[1:], self.part) - 1]])


def generator_of(state: dict) -> np.random.Generator:
    """The generator of a state."""
    generator = np.random.Generator(np.random.PCG64(0))
    generator.bit_generator.state = state
    return generator


def begun(
    task: Task, slots: tuple | None, pace: Pace, watch: Watch, rng: np.random.Generator
) -> TrainState:
    """The state before the first step; `slots` None starts the optimiser anew."""
    weights = task.model.weights
    state = State(weights, task.program.steps.start(weights) if slots is None else slots)
    judges = _seeds(rng, 0 if task.validation is None else len(_blocks(task)))
    return TrainState(state, dict(rng.bit_generator.state), pace, watch, judges, np.empty((0, 6)))


def states(task: Task, state: TrainState) -> Iterator[TrainState]:
    """The states that follow, one after every so many steps, until training ends."""
    program, ends, piece = task.program, task.ends, task.piece
    rows, held = None, None
    if task.recipe.workers > 1:
        check_alike(state.state.weights, task.told(), state[1:3], state.steps, state.part)
    while not state.ended:
        state = _block_begun(task, state) if state.order is None else state
        if held != state.blocks[0]:
            held = state.blocks[0]
            rows = rows_of(task.rows.block(held).arrays())
        end = ends[state.part % len(ends)]
        state = _stepped(task, program, rows, state, min(end, state.chunk + piece))
        state = judged(task, state) if state.chunk == end else state
        yield state


def _block_begun(task: Task, state: TrainState) -> TrainState:
    """The state with the rows of the next block in their order; blocks take turns at random."""
    rng, heights = generator_of(state.generator), task.rows.heights
    blocks = state.blocks
    if not blocks:
        blocks = tuple(rng.permutation(len(heights)).tolist()) if len(heights) > 1 else (0,)
    shape = -(-task.block_steps // task.length), task.length, task.batch_size
    order = np.resize(rng.permutation(np.arange(heights[blocks[0]], dtype=np.int32)), shape)
    seed, generator = _seeds(rng, 1)[0], dict(rng.bit_generator.state)
    return state._replace(generator=generator, blocks=blocks, order=order, seed=seed)


def _stepped(task: Task, program: Program, rows: Any, state: TrainState, stop: int) -> TrainState:
    """The state after some chunks of steps."""
    start, pace, part = state.chunk, state.pace, state.part
    betas = np.array([pace.beta(part), pace.last_beta], np.float32)
    rates = Rates(task.dropout, task.hide, pace.rate(part), betas)
    place = np.array([start, task.block_steps], np.int32)
    order, data = state.order[start:stop], (task.model.constants, rows)
    seed = state.seed ^ np.int32(workers().rank)  # noise of its own in each worker
    with program.steps.guard:
        new, sums = program.chunks(state.state, state.sums, data, order, place, seed, rates)
    n = min(stop * task.length, task.block_steps) - start * task.length
    return state._replace(
        state=new, sums=sums.numpy(), chunk=stop, steps=state.steps + n, summed=state.summed + n
    )


def judged(task: Task, state: TrainState) -> TrainState:
    """The state after a part, or what is done of it, with what the rows that are held out say."""
    part, pace = state.part, state.pace
    means = (state.sums / np.float32(state.summed)).astype(np.float64)
    _check_finite(means[:1], state, "loss")
    losses = means[:1] if task.validation is None else _validation_losses(task, state)
    losses = mean_of(losses, task.recipe.workers)  # workers on different processors go on as one
    if not np.isfinite(losses).any():
        _check_finite(losses, state, "loss of every row that is held out")
    curve = [*means, pace.beta(part), losses.mean(), state.summed]
    watch = state.watch.seen(part, losses, state.state)
    state = state._replace(
        pace=pace.falling_from(part + 1) if watch.stalls else pace,
        watch=watch,
        curves=np.vstack([state.curves, curve]),
        sums=np.zeros(3, np.float32),
        summed=0,
    )
    if state.chunk < len(state.order):
        return state
    return state._replace(blocks=state.blocks[1:], order=None, seed=None, chunk=0)


def _blocks(task: Task) -> range:
    """Where blocks of held-out rows start."""
    rows, network = task.validation, task.model.network
    height = max(1, min(BLOCK, NUMBERS // network.numbers_per_draw) // _n_judging_draws(task))
    return range(0, len(rows), height)


def _n_judging_draws(task: Task) -> int:
    """Draws of z behind the loss of a row that is held out: some times those of training."""
    n_draws = task.recipe.n_draws
    return n_draws * max(1, VALIDATION_DRAWS // (len(task.validation) * n_draws))


def _validation_losses(task: Task, state: TrainState) -> np.ndarray:
    """The loss of each row that is held out, at the last beta."""
    judge = partial(run, task.recipe.judge or _losses, task.kept(state.state))
    draws = np.array([_n_judging_draws(task), task.recipe.n_draws], np.int32)
    starts, beta = _blocks(task), np.float32(state.pace.last_beta)
    rows = (task.validation[i : i + starts.step] for i in starts)
    losses = [judge(*one, draws, beta)[0] for one in zip(rows, state.judges, strict=True)]
    return np.concatenate(losses).astype(np.float64)


@takes(ROWS, SEED, Shape((2,), "int32"), NUMBER)
def _losses(network: Network, w: dict, x: Any, seed: Any, draws: Any, beta: Any) -> tuple:
    noise = normal((draws[0], ops.shape(x)[0], network.latent_dim), seed)
    return (network.validation_losses(w, x, noise, draws[1], beta),)


def _seeds(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(2**31, size=(n, 2), dtype=np.int32)


def _check_finite(values: np.ndarray, state: TrainState, what: str) -> None:
    if np.isfinite(values).all():
        return
    raise ValueError(
        f"The {what} became {values[0]:g} in epoch {state.part // state.pace.parts + 1} of "
        f"training with learning_rate={state.pace.learning_rate:g}; lower learning_rate, or raise "
        "batch_size, or transform columns with extreme values."
    )
