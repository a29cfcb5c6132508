"""One vector and the arrays in it."""

import json
from functools import lru_cache
from itertools import accumulate, pairwise
from math import prod
from typing import Any, NamedTuple, Self

import numpy as np

from skvae._memory import aligned


class Nest(NamedTuple):
    """How nested dicts and lists of arrays lie in one vector: dicts by the order of their keys."""

    structure: str  # JSON, with the number of each array in its place
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, arrays: Any) -> tuple[Self, np.ndarray]:
        """The nest of some arrays, and their vector."""
        leaves: list = []
        structure = json.dumps(_numbered(arrays, leaves))
        flat = [np.ravel(leaf) for leaf in leaves]
        vector = np.concatenate(flat, out=aligned((sum(map(len, flat)),)), casting="same_kind")
        return cls(structure, tuple(np.shape(leaf) for leaf in leaves)), vector

    @property
    def size(self) -> int:
        """The length of the vector."""
        return sum(map(prod, self.shapes))

    def cut(self, vector: Any) -> list:
        """The arrays in a vector, one after the other."""
        ends = accumulate(map(prod, self.shapes), initial=0)
        parts = [vector[start:stop] for start, stop in pairwise(ends)]
        return list(map(np.reshape, parts, self.shapes))

    def filled(self, arrays: list) -> Any:
        """The nested dicts and lists with arrays in their places."""
        return _filled(_read(self.structure), arrays)

    def unpack(self, vector: Any) -> Any:
        """The nested dicts and lists whose arrays a vector holds."""
        return self.filled(self.cut(vector))


class Layout(NamedTuple):
    """Where the arrays that a network reads lie: in the vector of weights, in that of constants."""

    weights: Nest
    constants: Nest

    def read(self, weights: Any, constants: Any) -> dict:
        """The argument `w` out of weights and constants: vectors, or lists of tensors."""
        both = zip(self, (weights, constants), strict=True)
        return merged(
            *(nest.filled(a) if isinstance(a, list) else nest.unpack(a) for nest, a in both)
        )


def merged(weights: dict, constants: dict) -> dict:
    """The argument `w`: what is trained, beside what was learned once."""
    both = weights.keys() & constants.keys()
    return weights | constants | {k: merged(weights[k], constants[k]) for k in both}


def _numbered(nest: Any, leaves: list) -> Any:
    """The nest with numbers in place of arrays, which are put to `leaves`."""
    if isinstance(nest, dict):
        return {key: _numbered(nest[key], leaves) for key in sorted(nest)}
    if isinstance(nest, list | tuple):
        return [_numbered(inner, leaves) for inner in nest]
    leaves.append(nest)
    return len(leaves) - 1


def _filled(nest: Any, arrays: list) -> Any:
    if isinstance(nest, dict):
        return {key: _filled(inner, arrays) for key, inner in nest.items()}
    return [_filled(inner, arrays) for inner in nest] if isinstance(nest, list) else arrays[nest]


@lru_cache(maxsize=64)
def _read(structure: str) -> Any:
    return json.loads(structure)
