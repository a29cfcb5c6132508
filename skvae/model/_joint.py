from itertools import pairwise
from typing import Any

import numpy as np

from skvae._component import Component, expect
from skvae._math import joined, split
from skvae.likelihoods._base import Size
from skvae.model._runs import Runs


class Joint(Component):
    """Several likelihoods side by side, each over its own run of neighbouring cells."""

    def __init__(self, likelihoods: tuple, sizes: tuple[Size, ...]):
        self.likelihoods = likelihoods
        self.sizes = sizes

    @property
    def n_cells(self) -> int:
        return sum(self._cells())

    def n_features(self) -> int:
        return sum(part.n_features(size) for part, size in self.parts())

    def n_raw(self) -> int:
        return sum(self._raw_sizes())

    def init(self) -> dict[str, dict]:
        return numbered([part.init(size) for part, size in self.parts()])

    def spans(self) -> list[tuple[int, int]]:
        """Where the cells of each start and stop."""
        return list(pairwise(np.cumsum([0, *self._cells()]).tolist()))

    def owners(self, slots: list[int]) -> np.ndarray:
        """The cell that each raw number belongs to, of cells with so many slots, (n_raw,)."""
        spans, found = self.spans(), []
        for (start, stop), (part, size) in zip(spans, self.parts(), strict=True):
            runs, cells = Runs.of(part.n_raw, size), np.arange(start, stop)
            own = np.repeat(cells, runs.each * np.array(slots[start:stop]))
            padding = np.full(runs.each * size.slots - len(own), start)
            found += [own, padding, np.tile(cells, runs.own)]
        return np.concatenate(found)

    def features(self, w: dict, x: Any, seen: Any) -> Any:
        blocks = split(x, self._cells()), split(seen, self._cells())
        features = [part.features(v, x, seen) for part, v, x, seen in self._each(w, *blocks)]
        for found, (part, size) in zip(features, self.parts(), strict=True):
            n = part.n_features(size)
            words = f"(..., {n}), as n_features has it,"
            expect(f"{part}.features", found, (*x.shape[:-1], n), words)
        return joined(features)

    def log_prob(self, w: dict, x: Any, raw: Any) -> Any:
        blocks = split(x, self._cells()), split(raw, self._raw_sizes())
        log_probs = [part.log_prob(v, x, raw) for part, v, x, raw in self._each(w, *blocks)]
        return joined(self._by_cell("log_prob", log_probs, raw.shape[:-1]))

    def point(self, w: dict, raw: np.ndarray) -> np.ndarray:
        blocks = split(raw, self._raw_sizes())
        points = [part.point(v, raw) for part, v, raw in self._each(w, blocks)]
        points = [one if hasattr(one, "shape") else np.asarray(one) for one in points]
        return np.concatenate(self._by_cell("point", points, raw.shape[:-1]), axis=-1)

    def point_of_mixture(self, w: dict, raw: np.ndarray, weights: np.ndarray) -> np.ndarray:
        blocks = split(raw, self._raw_sizes())
        points = [part.point_of_mixture(v, raw, weights) for part, v, raw in self._each(w, blocks)]
        return np.concatenate(self._by_cell("point_of_mixture", points, raw.shape[1:-1]), axis=-1)

    def sample(self, w: dict, raw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        blocks = split(raw, self._raw_sizes())
        draws = [np.asarray(part.sample(v, raw, rng)) for part, v, raw in self._each(w, blocks)]
        return np.concatenate(self._by_cell("sample", draws, raw.shape[:-1]), axis=-1)

    def _by_cell(self, method: str, arrays: list, rows: tuple) -> list:
        """What the parts gave, if it is a number for each cell."""
        for array, (part, size) in zip(arrays, self.parts(), strict=True):
            words = f"a number for each cell, (..., {size.cells}),"
            expect(f"{part}.{method}", array, (*rows, size.cells), words)
        return arrays

    def parts(self) -> Any:
        return zip(self.likelihoods, self.sizes, strict=True)

    def _each(self, w: dict, *blocks: list) -> Any:
        own = [w[str(i)] for i in range(len(self.likelihoods))]
        return zip(self.likelihoods, own, *blocks, strict=True)

    def _cells(self) -> list[int]:
        return [size.cells for size in self.sizes]

    def _raw_sizes(self) -> list[int]:
        return [part.n_raw(size) for part, size in self.parts()]


def numbered(parts: list[dict]) -> dict[str, dict]:
    """Arrays of parts by their numbers."""
    return {str(i): part for i, part in enumerate(parts)}
