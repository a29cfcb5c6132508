"""Gradients, and the weights that they move: as one vector or array by array."""

from collections.abc import Callable, Iterable
from itertools import chain, compress, groupby, repeat
from math import prod
from operator import not_
from typing import Any, NamedTuple, Self

from skvae.engine._tensorflow import tf
from skvae.engine._tensors import cut

SHORT_SUM = 32  # most numbers that XLA adds up without a pass of their own


class State(NamedTuple):
    """What an optimiser step changes."""

    weights: Any
    slots: tuple  # the optimiser's own arrays


def gradients(function: Callable, arrays: Any) -> tuple[Any, Any]:
    """Of a function that gives two: the second, and the gradients of the first."""
    with tf.GradientTape() as tape:
        tape.watch(arrays)
        first, second = function(arrays)
    return second, tape.gradient(first, arrays, unconnected_gradients="zero")


def gradient_of(function: Callable, array: Any) -> Any:
    """The gradient of the sum of what a function of one array gives."""
    with tf.GradientTape() as tape:
        tape.watch(array)
        value = function(array)
    return tape.gradient(value, array, unconnected_gradients="zero")


def repeated(step: Callable, n: int, *state: Any) -> tuple:
    """The state after n steps, each a function of its number and the state."""
    start = tf.constant(0), *state
    loop = tf.while_loop(
        lambda i, *_: i < n, lambda i, *s: (i + 1, *step(i, *s)), start, parallel_iterations=1
    )
    return loop[1:]


def clipped(gradients: list, largest: float, xla: bool) -> list:
    """Gradients shortened together, where they are longer."""
    half_sums = map(_half_the_squares if xla else tf.nn.l2_loss, gradients)
    factor = largest / tf.maximum(tf.sqrt(2.0 * tf.add_n(list(half_sums))), largest)
    return [gradient * factor for gradient in gradients]


def _half_the_squares(gradient: Any) -> Any:
    """Half of their sum, in two sums where the size is known: XLA fuses only short ones."""
    size = gradient.shape.num_elements() or 1
    few = max(n for n in range(1, SHORT_SUM + 1) if size % n == 0)
    squares = tf.reduce_sum(tf.reshape(gradient, (few, -1)) ** 2, axis=0)
    # the maximum does nothing but keep XLA from one long sum
    return 0.5 * tf.reduce_sum(tf.maximum(squares, 0.0))


class Groups(NamedTuple):
    """Arrays in a vector of which steps keep some apart, and the others in one vector."""

    shapes: tuple[tuple[int, ...], ...]
    runs: list[list[int]]  # neighbours in the vector that stay together
    alone: list[bool]  # whether such are one array that is kept apart

    @classmethod
    def of(cls, shapes: Any, largest: int | None) -> Self:
        """Arrays of more numbers are kept apart; None: none of them."""
        alone = [largest is not None and prod(shape) > largest for shape in shapes]
        runs = groupby(range(len(shapes)), lambda i: i if alone[i] else -1)
        places = [list(run) for _, run in runs]
        return cls(shapes, places, [alone[i] for i, *_ in places])

    @property
    def members(self) -> list[list[int]]:
        """The arrays of each group: those that are kept apart, and last all others."""
        others = list(chain(*self._others()))
        return [*compress(self.runs, self.alone), *filter(None, [others])]

    def parted(self, vector: Any) -> list:
        """The array or the vector of each group."""
        if not any(self.alone):
            return [vector]
        parts = tf.split(vector, self._sizes(self.runs))
        others = list(compress(parts, map(not_, self.alone)))
        own = (compress(places, self.alone) for places in (parts, self.runs))
        apart = [tf.reshape(part, self.shapes[i]) for part, (i,) in zip(*own, strict=True)]
        return [*apart, joined(others)] if others else apart

    def whole(self, parts: list) -> Any:
        """The vector."""
        if not any(self.alone):
            return parts[0]
        runs = self._others()
        others = iter(tf.split(parts[-1], self._sizes(runs)) if runs else [])
        apart = iter(parts)
        return joined(next(apart if alone else others) for alone in self.alone)

    def arrays(self, parts: list) -> list:
        """All arrays in turn."""
        if not any(self.alone):
            return cut(self.shapes, *parts)
        n, places = sum(self.alone), [i for own in self.members for i in own]
        arrays = parts[:n] + cut([self.shapes[i] for i in places[n:]], parts[-1])
        return [arrays[places.index(i)] for i in range(len(places))]

    def holding(self, places: list, arrays: list) -> dict:
        """The parts of the groups that have arrays at these places, by the group's number."""
        found, n = {}, sum(self.alone)
        for k, own in enumerate(self.members):
            if {*own} & {*places}:
                found[k] = arrays[own[0]] if k < n else joined(arrays[i] for i in own)
        return found

    def apart(self, state: State) -> list[State]:
        """The state of each group."""
        slots = [self.parted(slot) if slot.shape.rank else repeat(slot) for slot in state.slots]
        groups = zip(self.parted(state.weights), *slots, strict=False)
        return [State(weights, tuple(own)) for weights, *own in groups]

    def together(self, states: list[State], slots: tuple) -> State:
        """The state of all weights; `slots` has the ranks of the optimiser's arrays."""
        columns = zip(*(state.slots for state in states), strict=True)
        own = [
            self.whole(list(column)) if slot.shape.rank else column[0]
            for slot, column in zip(slots, columns, strict=True)
        ]
        return State(self.whole([state.weights for state in states]), tuple(own))

    def _others(self) -> list[list[int]]:
        return list(compress(self.runs, map(not_, self.alone)))

    def _sizes(self, runs: list) -> list[int]:
        return [sum(prod(self.shapes[i]) for i in run) for run in runs]


def joined(arrays: Iterable) -> Any:
    """Arrays as one vector."""
    flat = [array if array.shape.rank == 1 else tf.reshape(array, [-1]) for array in arrays]
    return tf.concat(flat, axis=0)
