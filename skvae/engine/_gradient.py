"""Gradients, and the weights that they move: as one vector or array by array."""

from collections.abc import Callable, Iterable
from itertools import repeat
from math import prod
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
    """Arrays in a vector that steps keep apart, or in vectors of their own."""

    shapes: tuple[tuple[int, ...], ...]
    members: list[list[int]]  # places of the arrays of each group

    @classmethod
    def of(cls, shapes: Any, largest: int | None) -> Self:
        """Arrays of more numbers alone, the others in one vector; None: all of them there."""
        sizes = list(map(prod, shapes))
        alone = [i for i, size in enumerate(sizes) if largest is not None and size > largest]
        others = [i for i in range(len(sizes)) if i not in alone]
        return cls(shapes, [[i] for i in alone] + [others] * bool(others))

    def parted(self, vector: Any) -> list:
        """The array or the vector of each group."""
        if len(self.members) == 1:
            return [vector]
        arrays = cut(self.shapes, vector)
        return [_as_one([arrays[i] for i in own]) for own in self.members]

    def arrays(self, parts: list) -> list:
        """All arrays in turn."""
        if len(self.members) == 1:
            return cut(self.shapes, *parts)
        found: dict = {}
        for own, part in zip(self.members, parts, strict=True):
            arrays = cut([self.shapes[i] for i in own], part) if own[1:] else [part]
            found.update(zip(own, arrays, strict=True))
        return [found[i] for i in sorted(found)]

    def whole(self, parts: list) -> Any:
        """The vector."""
        return joined(self.arrays(parts)) if parts[1:] else parts[0]

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


def _as_one(arrays: list) -> Any:
    """A single array as it is, several as one vector."""
    return joined(arrays) if arrays[1:] else arrays[0]


def joined(arrays: Iterable) -> Any:
    """Arrays as one vector."""
    return tf.concat([tf.reshape(array, [-1]) for array in arrays], axis=0)
