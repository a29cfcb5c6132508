"""Functions of a network as graphs of ONNX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from skvae.engine._process import enter
from skvae.engine._tensorflow import tf
from skvae.model import Model

OPSETS = 18, 21  # the last that networks are written in, and the one that their graphs are given


def graph_of(function: Callable, model: Model, n_in: int) -> Any:
    """The graph of a function of (network, w, x) that gives a tuple of one, for a model."""
    import tf2onnx
    from onnx.version_converter import convert_version

    enter()
    of_model = partial(function, model.network, model.learned())
    kind = {"input_signature": [tf.TensorSpec([None, n_in])]}
    program = tf.function(lambda x: of_model(x)[0], autograph=False, **kind)
    own: dict = {"Log1p": (_log1p, []), "Erfc": (_erfc, [])}
    try:
        graph, _ = tf2onnx.convert.from_function(
            program, opset=OPSETS[0], custom_op_handlers=own, **kind
        )
        graph = convert_version(graph, OPSETS[1])
    except RuntimeError as error:
        raise ValueError(f"The networks do what ONNX has no word for ({error}).") from error
    del graph.opset_import[1:]  # of operators that it does not use
    return graph


def _log1p(graph: Any, node: Any, name: str, _: Any) -> Any:
    """log(1 + x), for which ONNX has no word."""
    one = graph.make_const(f"{name}/one", np.ones(1, np.float32)).output[0]
    graph.remove_node(name)
    more = graph.make_node("Add", [node.input[0], one])
    return graph.make_node("Log", more.output, name=name, outputs=node.output)


def _erfc(graph: Any, node: Any, name: str, _: Any) -> Any:
    """1 - erf(x)."""
    one = graph.make_const(f"{name}/one", np.ones(1, np.float32)).output[0]
    graph.remove_node(name)
    less = graph.make_node("Erf", node.input)
    return graph.make_node("Sub", [one, less.output[0]], name=name, outputs=node.output)
