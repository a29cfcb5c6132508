"""Gradients, and the weights that they move: as one vector or array by array."""

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any, NamedTuple

from skvae.engine._tensorflow import tf

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


def clipped(gradients: list, largest: float) -> list:
    """Gradients shortened together, where they are longer."""
    sums = []
    for gradient in gradients:
        # in two sums, where the size is known: XLA fuses only short ones with what they add up
        size = gradient.shape.num_elements() or 1
        few = max(n for n in range(1, SHORT_SUM + 1) if size % n == 0)
        squares = tf.reduce_sum(tf.reshape(gradient, (few, -1)) ** 2, axis=0)
        # the maximum does nothing but keep XLA from one long sum
        sums.append(tf.reduce_sum(tf.maximum(squares, 0.0)))
    factor = largest / tf.maximum(tf.sqrt(tf.add_n(sums)), largest)
    return [gradient * factor for gradient in gradients]


def apart(state: State, cut: Callable) -> list[State]:
    """The state of each array of weights."""
    slots = [cut(slot) if slot.shape.rank else repeat(slot) for slot in state.slots]
    return [
        State(weights, tuple(own))
        for weights, *own in zip(cut(state.weights), *slots, strict=False)
    ]


def together(states: list[State], slots: tuple) -> State:
    """The state of all weights; `slots` has the ranks of the optimiser's arrays."""
    columns = zip(*(state.slots for state in states), strict=True)
    own = [
        joined(column) if slot.shape.rank else column[0]
        for slot, column in zip(slots, columns, strict=True)
    ]
    return State(joined(state.weights for state in states), tuple(own))


def joined(arrays: Iterable) -> Any:
    """Arrays as one vector."""
    return tf.concat([tf.reshape(array, [-1]) for array in arrays], axis=0)
