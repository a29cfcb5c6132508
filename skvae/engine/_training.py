"""Steps of training: one, a chunk of them that XLA may compile, and chunks one after the other."""

from collections.abc import Callable
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from skvae._memory import uncollected
from skvae.engine._gradient import Groups, State, clipped, gradients
from skvae.engine._optimizer import Steps
from skvae.engine._program import vectors
from skvae.engine._random import Step, factors, hashed_bits, normal, random_bits, with_holes
from skvae.engine._rows import spec_of_rows, taken
from skvae.engine._tensorflow import tf
from skvae.engine._tensors import cut, size
from skvae.engine._variables import Variable
from skvae.engine._workers import averaged, told, unscoped
from skvae.model import Architecture, Network

CHUNK = 32  # most steps whose rows and random numbers are fetched at once
CHUNK_NUMBERS = 2**22  # most numbers fetched at once: 16 MiB
XLA_SAVES = 0.2e-3, 7e-9  # seconds of a step, and for each weight
XLA_PAYS = 2.0  # seconds to save from which on XLA is used: it compiles as long, and fits end early
LARGE = 2**13  # numbers of an array beyond which to copy it takes longer than a call
CLIP = 10.0  # largest gradient norm, per square root of the number of cells


class Rates(NamedTuple):
    """What may differ from part to part of training."""

    dropout: Any
    hide: Any
    learning_rate: Any
    betas: Any  # of now, and the last one, at which losses are shown


class Recipe(NamedTuple):
    """What a program of training is compiled for, besides an architecture."""

    # (network, w, x, noise, mode, betas) to the loss at each of two betas, log-likelihood and KL
    loss: Callable
    optimizer: Callable
    n_draws: int
    drops: bool  # whether hidden units are dropped
    hides: bool  # whether cells are hidden
    sparse: bool
    xla: bool
    beside: int = 0  # numbers that rows carry beside their cells
    noise: int = 0  # random numbers for each row beside those of z
    judge: Callable | None = None  # the loss of rows that are held out; None: the network's own
    workers: int = 1  # that take each step together


class Program(NamedTuple):
    """The compiled steps of a recipe."""

    chunks: Callable
    steps: Steps


def xla_pays(network: Network, n_weights: int, n_steps: int) -> bool:
    """Whether a fit of so many steps is long enough for XLA."""
    by_step, by_weight = XLA_SAVES
    saved = n_steps * (by_step + by_weight * n_weights)
    return network.encoder.xla and network.decoder.xla and saved >= XLA_PAYS


def chunk_length(network: Network, n_steps: int, batch_size: int, n_draws: int) -> int:
    """Steps in a chunk: a power of two, since XLA compiles anew for every length."""
    dropped = sum(network.encoder.hidden) + n_draws * sum(network.decoder.hidden)
    numbers = batch_size * (network.n_cells + n_draws * network.latent_dim + dropped)
    most = max(1, min(CHUNK, CHUNK_NUMBERS // numbers))
    return min(2 ** (n_steps - 1).bit_length(), 2 ** (most.bit_length() - 1))


@lru_cache(maxsize=32)
@uncollected()
@unscoped
def trainer(architecture: Architecture, recipe: Recipe, batch_size: int | None) -> Program:
    """The program of a recipe; later fits of the same one reuse it without tracing.

    Where a batch has a known size, gradients need no arithmetic of shapes, which is long to trace.
    """
    n = architecture.layout.weights.size
    steps = recipe.optimizer(n)
    slots = steps.start(np.zeros(n, np.float32))
    inner = _Chunk(architecture, recipe, steps)
    chunk = tf.function(inner, jit_compile=inner.xla, autograph=False)

    @tf.function(
        autograph=False, input_signature=_signature(architecture, recipe, slots, batch_size)
    )
    # these are tensors
    def chunks(state, sums, data, order, place, seed, rates):  # type: ignore[no-untyped-def]
        """The state and the sums after the chunks whose rows `order` has, from a place on."""
        (constants, rows), first, n_steps = data, place[0], place[1]
        n_chunks, length, _ = tf.unstack(tf.shape(order))

        def run(c: Any, state: Any, sums: Any) -> tuple:
            here = first + c
            fetched = inner.fetched(rows, order[c], tf.random.fold_in(seed, here), rates)
            left = tf.minimum(length, n_steps - here * length)
            state, more = chunk(state, constants, *fetched, left, rates)
            return c + 1, State(*state), sums + more

        start = tf.constant(0), State(*state), sums
        loop = tf.while_loop(lambda c, *_: c < n_chunks, run, start, parallel_iterations=1)
        return loop[1:]

    return Program(told(chunks.get_concrete_function()), steps)


def _signature(architecture: Architecture, recipe: Recipe, slots: tuple, batch_size: Any) -> list:
    weights, constants = vectors(architecture)
    own = tuple(tf.TensorSpec(slot.shape, slot.dtype) for slot in slots)
    return [
        State(weights, own),
        tf.TensorSpec([3]),  # sums of loss at the last beta, log-likelihood and KL
        (constants, spec_of_rows(recipe.sparse, architecture.network.width + recipe.beside)),
        tf.TensorSpec([None, None, batch_size], tf.int32),
        tf.TensorSpec([2], tf.int32),  # the first chunk, and steps of the epoch
        tf.TensorSpec([2], tf.int32),
        Rates(*map(tf.TensorSpec, [[], [], [], [2]])),
    ]


class _Chunk:
    """The function that takes the steps of a chunk."""

    def __init__(self, architecture: Architecture, recipe: Recipe, steps: Steps):
        (self.network, self.layout), self.recipe, self.steps = architecture, recipe, steps
        self.in_place = None if recipe.xla else steps.in_place
        largest = LARGE if self.in_place else None
        # XLA copies whatever is cut from a vector, in each step
        largest = 0 if recipe.xla and steps.elementwise else largest
        self.groups = Groups.of(self.layout.weights.shapes, largest)
        self.drops = recipe.drops and bool(self._droppable(1))
        self.hashed = recipe.xla and self.drops
        self.xla = recipe.xla
        self.parts: list[Callable] = [self._found, self._moved]
        if recipe.xla and recipe.workers > 1:  # which exchange between the two: XLA does not
            compiled = partial(tf.function, jit_compile=True, autograph=False)
            self.xla, self.parts = False, list(map(compiled, self.parts))

    def fetched(self, rows: Any, order: Any, seed: Any, rates: Rates) -> tuple:
        """Rows, noise and factors of units (or seeds of them) of all steps."""
        length, batch = tf.shape(order)[0], size(order, 1)
        shapes = self._droppable(batch)
        seeds = tf.random.split(seed, 3 + len(shapes))
        width = self.network.latent_dim + self.recipe.noise
        noise = normal((length, self.recipe.n_draws, batch, width), seeds[0])
        x = taken(rows, order)
        x = with_holes(x, rates.hide, seeds[1:3]) if self.recipe.hides else x
        if self.hashed or not self.drops:
            return x, noise, seeds[3:]
        bits = random_bits(length, sum(map(prod, shapes)), seeds[3])
        return x, noise, factors(bits, rates.dropout)

    def __call__(
        self, state: Any, constants: Any, x: Any, noise: Any, kept: Any, n_steps: Any, rates: Any
    ) -> tuple:
        state, rates = State(*state), Rates(*rates)
        data = cut(self.layout.constants.shapes, constants), x, noise, kept
        run = partial(self._in_place, self.in_place) if self.in_place else self._renewed
        states, sums = run(self.groups.apart(state), data, n_steps, rates)
        return self.groups.together(states, state.slots), sums

    def _renewed(self, states: list, data: tuple, n_steps: Any, rates: Rates) -> tuple:
        """States after some steps, each of which makes new ones, and sums of means."""
        found, moved = self.parts

        def step(i: Any, states: list, sums: Any) -> tuple:
            weights = [state.weights for state in states]
            own, new = found(i, data, weights, rates)
            *own, means = averaged(own, self.recipe.workers)
            states = moved(states, own, rates)
            left = self._left(new, [state.weights for state in states])
            for k, weights in left.items():
                states[k] = states[k]._replace(weights=weights)
            return i + 1, states, sums + means

        start = tf.constant(0), states, tf.zeros(3)
        return tf.while_loop(lambda i, *_: i < n_steps, step, start, parallel_iterations=1)[1:]

    def _in_place(
        self, update: Callable, states: list, data: tuple, n_steps: Any, rates: Rates
    ) -> tuple:
        """The same of steps that change weights and slots where they are."""
        before = states[0].slots[-1]
        held = [[Variable(own) for own in (state.weights, *state.slots[:-1])] for state in states]

        def step(i: Any, sums: Any) -> tuple:
            own, new = self._found(i, data, [weights.read() for weights, *_ in held], rates)
            *own, means = averaged(own, self.recipe.workers)
            own = clipped(own, CLIP * self.network.n_cells**0.5, xla=False)
            for variables, gradient in zip(held, own, strict=True):
                update(variables, gradient, rates.learning_rate, before + i + 1)
            left = self._left(new, [weights.read() for weights, *_ in held])
            for k, weights in left.items():
                held[k][0].assign(weights)
            return i + 1, sums + means

        start = tf.constant(0), tf.zeros(3)
        steps, sums = tf.while_loop(lambda i, _: i < n_steps, step, start, parallel_iterations=1)
        arrays = [[variable.read() for variable in variables] for variables in held]
        return [State(weights, (*slots, before + steps)) for weights, *slots in arrays], sums

    def _found(self, i: Any, data: tuple, weights: list, rates: Any) -> tuple[list, dict]:
        """The gradients of a step and the means of its rows, and what layers leave."""
        constants, x, noise, kept = data
        mode = Step(self._factors(i, kept, x, rates))
        loss = partial(self._means, constants, x[i], noise[i], mode, rates.betas)
        means, found = gradients(loss, weights)
        return [*found, means], mode.states

    def _moved(self, states: list, found: list, rates: Any) -> list:
        """The states after a step."""
        found = clipped(found, CLIP * self.network.n_cells**0.5, self.recipe.xla)
        return [
            State(*self.steps.update(*state, gradient, rates.learning_rate))
            for state, gradient in zip(states, found, strict=True)
        ]

    def _means(
        self, constants: Any, x: Any, noise: Any, mode: Step, betas: Any, weights: list
    ) -> tuple[Any, Any]:
        """The mean loss, and those of the loss at the last beta, log-likelihood and KL.

        Losses have the penalties of layers.
        """
        w = self.layout.read(self.groups.arrays(weights), constants)
        loss, shown, *others = self.recipe.loss(self.network, w, x, noise, mode, betas)
        totals = [tf.add_n([tf.reduce_mean(one), *mode.penalties]) for one in (loss, shown)]
        # apart from those whose gradients nobody needs
        return totals[0], tf.stack([totals[1], *map(tf.reduce_mean, others)])

    def _factors(self, i: Any, kept: Any, x: Any, rates: Rates) -> list:
        shapes = self._droppable(size(x, 1))
        if self.hashed:
            return [factors(bits, rates.dropout) for bits in hashed_bits(i, shapes, kept)]
        return cut(shapes, kept[i]) if self.drops else []

    def _droppable(self, batch: Any) -> list[tuple]:
        """The rows and units of each layer in which units may be dropped."""
        before, after = self.network.encoder.hidden, self.network.decoder.hidden
        draws = self.recipe.n_draws * batch
        return [(batch, width) for width in before] + [(draws, width) for width in after]

    def _left(self, new: dict, weights: list) -> dict:
        """Weights of the groups in which layers of some parts have left states, by number."""
        if not new:
            return {}
        arrays = self.groups.arrays(weights)
        numbers = self.layout.weights.filled(list(range(len(arrays))))
        places = tf.nest.flatten([numbers[part]["state"] for part in new])
        left = averaged(tf.nest.flatten(list(new.values())), self.recipe.workers)
        for place, array in zip(places, left, strict=True):
            arrays[place] = array
        return self.groups.holding(places, arrays)
