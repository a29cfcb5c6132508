"""Arrays that write down what NumPy does with them, as a graph of ONNX, by NumPy's own protocols.

So what components and the codec do in NumPy is exported as it stands, and nothing is written twice.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import ndonnx as nx
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Traced(NDArrayOperatorsMixin):
    """An array whose cells are known only when the graph runs."""

    def __init__(self, array: nx.Array):
        self.array = array

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(str(self.array.dtype))

    @property
    def shape(self) -> tuple:
        """Sizes, None where they are not known."""
        return self.array.shape

    @property
    def size(self) -> int:
        """Whether there may be cells."""
        return 0 not in self.shape

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("takes an array as it is in NumPy")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **_: Any) -> "Traced":
        return _called(ufunc.__name__ if method == "__call__" else method, inputs, {})

    def __array_function__(self, function: Callable, _: Any, args: tuple, more: dict) -> Any:
        return _called(function.__name__, args, more)

    def astype(self, dtype: Any) -> "Traced":
        return Traced(nx.astype(self.array, nx.from_numpy_dtype(np.dtype(dtype))))

    def clip(self, low: Any = None, high: Any = None, *, min: Any = None, max: Any = None) -> Any:
        found, low, high = self, low if min is None else min, high if max is None else max
        found = found if low is None else np.maximum(found, low)
        return found if high is None else np.minimum(found, high)

    def sum(self, axis: Any = None, keepdims: bool = False) -> "Traced":
        return Traced(nx.sum(self.array, axis=axis, keepdims=keepdims))

    def max(self, axis: Any = None, keepdims: bool = False, initial: Any = None) -> "Traced":
        return Traced(nx.max(self.array, axis=axis, keepdims=keepdims))

    def argmax(self, axis: Any = None) -> "Traced":
        return Traced(nx.argmax(self.array, axis=axis))

    def __getitem__(self, key: Any) -> "Traced":
        keys = key if isinstance(key, tuple) else (key,)
        arrays = [i for i, one in enumerate(keys) if isinstance(one, (Traced, np.ndarray))]
        if arrays:  # of places, on the first axis or the last
            return _taken(self, keys[arrays[0]], axis=arrays[0] - (Ellipsis in keys) * len(keys))
        return Traced(self.array[tuple(map(_plain, keys))])


class Constant(np.ndarray):
    """An array that may be indexed by traced ones."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, Traced):
            return _taken(self, key, axis=0)
        return super().__getitem__(key)

    def __array_function__(self, function: Callable, types: Any, args: Any, more: Any) -> Any:
        if any(isinstance(one, Traced) for one in args):
            return _called(function.__name__, args, more)
        found = super().__array_function__(function, types, args, more)
        return found.view(Constant) if isinstance(found, np.ndarray) else found


def constants(values: Any) -> Any:
    """Arrays, in dicts too, as ones that may be indexed by traced ones."""
    if isinstance(values, dict):
        return {name: constants(value) for name, value in values.items()}
    return values.view(Constant) if isinstance(values, np.ndarray) else values


def mapped(labels: Traced, codes: dict[str, float], other: float) -> Traced:
    """Text by a dictionary."""
    return Traced(nx.extensions.static_map(labels.array, codes, other))


def _called(name: str, args: tuple, more: dict) -> Any:
    """What a function of NumPy of that name gives."""
    if name in OWN:
        return OWN[name](*args, **more)
    function = getattr(nx, SAME.get(name, name), None)
    if function is None:
        raise TypeError(f"takes np.{name}, which ONNX has not")
    return Traced(function(*_alike(args)))


def _alike(arrays: Any) -> list[nx.Array]:
    """Arrays in the dtype to which NumPy would bring them."""
    if len(arrays) == 1:
        return [_array(arrays[0])]
    kinds = [np.empty(1, one.dtype) if isinstance(one, Traced) else one for one in arrays]
    dtype = nx.from_numpy_dtype(np.result_type(*kinds))
    return [nx.astype(_array(one), dtype) for one in arrays]


def _array(one: Any) -> nx.Array:
    return one.array if isinstance(one, Traced) else nx.asarray(np.array(one))


def _plain(key: Any) -> Any:
    """A key with Python's own numbers."""
    if isinstance(key, slice):
        return slice(*map(_plain, (key.start, key.stop, key.step)))
    return int(key) if isinstance(key, np.integer) else key


def _taken(array: Any, places: Any, axis: int | None = None) -> Traced:
    """Cells at places, of all cells in turn where there is no axis."""
    array, places = _array(array), nx.astype(_array(places), nx.int64)
    if axis is not None and places.ndim == 1:
        return Traced(nx.take(array, places, axis=axis))
    cells = nx.take(nx.reshape(array, (-1,)), nx.reshape(places, (-1,)), axis=0)
    return Traced(nx.reshape(cells, places.dynamic_shape))


def _where(holds: Any, first: Any, second: Any) -> Traced:
    return Traced(nx.where(_array(holds), *_alike([first, second])))


def _split(array: Traced, parts: Any, axis: int) -> list[Traced]:
    """Pieces of the last axis."""
    n = array.shape[-1]
    inner = parts if np.ndim(parts) else np.arange(1, parts) * n // parts
    edges = [0, *inner, n]
    return [array[..., i:j] for i, j in pairwise(edges)]


def _searched(edges: Any, cells: Any, side: str = "left") -> Traced:
    """How many ascending edges are below cells."""
    edges, cells = _alike([edges, cells[..., None]])
    below = cells > edges if side == "left" else cells >= edges
    return Traced(nx.sum(nx.astype(below, nx.int64), axis=-1))


def _joined(arrays: Any, axis: int = 0) -> Traced:
    return Traced(nx.concat(_alike(list(arrays)), axis=axis))


def _stacked(arrays: Any, axis: int = 0) -> Traced:
    return Traced(nx.stack(_alike(list(arrays)), axis=axis))


SAME = {  # what the standard of arrays calls functions otherwise
    "absolute": "abs",
    "arcsinh": "asinh",
    "invert": "logical_not",
    "power": "pow",
    "rint": "round",
    "true_divide": "divide",
}
OWN: dict[str, Callable] = {
    "clip": lambda array, *ends: array.clip(*ends),
    "concatenate": _joined,
    "expit": lambda x: 1 / (1 + np.exp(-x)),
    "round": lambda x, places=0: np.rint(x * 10.0**places) / 10.0**places,
    "searchsorted": _searched,
    "split": _split,
    "stack": _stacked,
    "take": _taken,
    "where": _where,
}
