from itertools import pairwise
from typing import Any

import numpy as np

from skvae import _math as ops
from skvae._component import Component


class Mixed(Component):
    """Several likelihoods side by side, each over its own run of neighbouring cells."""

    def __init__(self, likelihoods: tuple, sizes: tuple[int, ...]):
        self.likelihoods = likelihoods
        self.sizes = sizes

    def n_raw(self) -> int:
        return sum(self._raw_sizes())

    def init(self) -> dict[str, dict]:
        own = [part.init(size) for part, size in zip(self.likelihoods, self.sizes, strict=True)]
        return _numbered(own)

    def constants(self, x: np.ndarray) -> dict[str, dict]:
        own = [part.constants(block) for part, block in zip(self.likelihoods, _split(x, self.sizes), strict=True)]
        return _numbered(own)

    def features(self, w: dict, x: Any) -> Any:
        return ops.concatenate([part.features(v, x) for part, v, x in self._each(w, _split(x, self.sizes))], axis=-1)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        blocks = _split(x, self.sizes), _split(raw, self._raw_sizes())
        return ops.concatenate([part.log_prob(v, x, raw) for part, v, x, raw in self._each(w, *blocks)], axis=-1)

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        blocks = _split(raw, self._raw_sizes())
        return np.concatenate([part.point(v, raw) for part, v, raw in self._each(w, blocks)], axis=-1)

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        blocks = _split(raw, self._raw_sizes())
        return np.concatenate([part.sample(v, raw, rng) for part, v, raw in self._each(w, blocks)], axis=-1)

    def _each(self, w: dict, *blocks: list) -> Any:
        own = [w[str(i)] for i in range(len(self.likelihoods))]
        return zip(self.likelihoods, own, *blocks, strict=True)

    def _raw_sizes(self) -> list[int]:
        return [part.n_raw(size) for part, size in zip(self.likelihoods, self.sizes, strict=True)]


def _numbered(parts: list[dict]) -> dict[str, dict]:
    return {str(i): part for i, part in enumerate(parts)}


def _split(array: Any, sizes: list[int] | tuple[int, ...]) -> list:
    edges = np.cumsum([0, *sizes])
    return [array[..., start:stop] for start, stop in pairwise(edges)]
