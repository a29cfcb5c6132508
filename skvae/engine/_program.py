"""Functions of an architecture, compiled once for all models that share it."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from skvae._memory import uncollected
from skvae.engine._process import enter
from skvae.engine._tensorflow import tf
from skvae.engine._tensors import cut, tensor
from skvae.model import Architecture, Model

AT_ONCE = 8  # blocks that cores share


class Shape(NamedTuple):
    """What a function says of an argument: "cells" and "latent" stand for sizes of a network."""

    axes: tuple
    dtype: str = "float32"


ROWS = Shape((None, "cells"))
LATENT = Shape((None, "latent"))
DRAWS = Shape((None, None, "latent"))
NUMBER = Shape(())
SEED = Shape((2,), "int32")


def takes(*shapes: Shape) -> Callable:
    """Says the shapes of the arrays that a function takes after network and `w`."""

    def said(function: Any) -> Callable:
        function.shapes = shapes
        return function

    return said


def spec(shape: Shape, architecture: Architecture, *before: Any) -> tf.TensorSpec:
    """What TensorFlow is told of an array, with more axes before its own."""
    network = architecture.network
    sizes = {"cells": network.width, "latent": network.latent_dim}
    return tf.TensorSpec([*before, *(sizes.get(n, n) for n in shape.axes)], shape.dtype)


def vectors(architecture: Architecture) -> list[tf.TensorSpec]:
    """What it is told of weights and constants."""
    layout = architecture.layout
    return [tf.TensorSpec([nest.size]) for nest in (layout.weights, layout.constants)]


@lru_cache(maxsize=128)
@uncollected()
def compiled(function: Callable, architecture: Architecture, mapped: int = 0) -> Callable:
    """The program of a function of (network, w, arrays) that gives a tuple.

    Of its arrays the first `mapped` come in blocks, and its outputs are stacked.
    """

    layout = architecture.layout

    @tf.function(autograph=False, input_signature=_signature(function, architecture, mapped))
    def run(weights: Any, constants: Any, *arrays: Any) -> tuple:
        shapes = [nest.shapes for nest in (layout.weights, layout.constants)]
        w = layout.read(*map(cut, shapes, (weights, constants)))
        of_arrays = partial(function, architecture.network, w)
        if not mapped:
            return of_arrays(*arrays)
        stacked = tf.map_fn(
            lambda block: tf.stack(of_arrays(*block, *arrays[mapped:])),
            arrays[:mapped],
            fn_output_signature=tf.float32,
            parallel_iterations=AT_ONCE,
        )
        return (stacked,)

    return run.get_concrete_function()


def _signature(function: Any, architecture: Architecture, mapped: int) -> list:
    blocks = [[None] * (i < mapped) for i in range(len(function.shapes))]
    specs = [spec(s, architecture, *b) for s, b in zip(function.shapes, blocks, strict=True)]
    return [*vectors(architecture), *specs]


@lru_cache(maxsize=256)
def traced(method: Callable, component: Any) -> Callable:
    """The program of a method of a component, of arrays of any shape."""
    return tf.function(partial(method, component), autograph=False, reduce_retracing=True)


def run(function: Callable, model: Model, *arrays: Any, mapped: int = 0) -> list[np.ndarray]:
    """What the function gives for a model."""
    enter()
    # TensorFlow takes half of a call's time for arrays
    tensors = map(tensor, (model.weights, model.constants, *arrays))
    return [out.numpy() for out in compiled(function, model.architecture, mapped)(*tensors)]
