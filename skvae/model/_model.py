"""What a fit leaves."""

from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np

from skvae.model._network import Network
from skvae.model._weights import Layout, Nest, merged


class Architecture(NamedTuple):
    """What programs are compiled for."""

    network: Network
    layout: Layout


class Model(NamedTuple):
    """A network with what it has learned."""

    network: Network
    layout: Layout
    weights: np.ndarray
    constants: np.ndarray
    sums: Any = None  # of a chain: how cells and those of their sums follow from each other

    @classmethod
    def of(cls, network: Network, weights: dict, constants: dict, sums: Any = None) -> Self:
        """The model with these arrays."""
        (nest, vector), (own, once) = map(Nest.of, (weights, constants))
        return cls(network, Layout(nest, own), vector, once, sums)

    @property
    def architecture(self) -> Architecture:
        """One for all models that share compiled programs."""
        return Architecture(self.network.shared, self.layout)

    def learned(self) -> dict:
        """The learned arrays by part: the argument `w`, in NumPy."""
        return self.layout.read(self.weights, self.constants)

    def with_prior(self, prior: Any, arrays: dict) -> Self:
        """The model with another prior, which has these arrays."""
        nest, vector = Nest.of(self.layout.weights.unpack(self.weights) | {"prior": arrays})
        layout = self.layout._replace(weights=nest)
        return self._replace(
            network=replace(self.network, prior=prior), layout=layout, weights=vector
        )

    def frozen(self, chain: Any, arrays: dict, constants: dict, sums: Any) -> "Model":
        """The model with cells that see each other, whose arrays alone are weights."""
        once = merged(
            self.layout.weights.unpack(self.weights), self.layout.constants.unpack(self.constants)
        )
        more = np.ones(len(sums), np.float32)  # all of them vary
        cells = {name: np.append(array, more) for name, array in once["cells"].items()}
        network, once = replace(self.network, chain=chain), {**once, "cells": cells}
        return Model.of(network, {"chain": arrays}, {**once, "chain": constants}, sums)

    def with_chain(self, frozen: "Model") -> "Model":
        """This model with the cells of a frozen one."""
        arrays = frozen.layout.weights.unpack(frozen.weights)
        once = frozen.layout.constants.unpack(frozen.constants)
        constants = self.layout.constants.unpack(self.constants)
        constants |= {part: once[part] for part in ("cells", "chain")}
        weights = self.layout.weights.unpack(self.weights) | arrays
        return Model.of(frozen.network, weights, constants, frozen.sums)

    def shifted(self, shifts: list) -> "Model":
        """The model whose cells start from other numbers, by (cells, numbers) of each span."""
        once = self.layout.constants.unpack(self.constants)
        tables = zip(once["chain"]["table"], shifts, strict=True)
        once["chain"] |= {"table": [table + shift[:, None] for table, shift in tables]}
        weights = self.layout.weights.unpack(self.weights)
        return Model.of(self.network, weights, once, self.sums)

    def without_chain(self) -> "Model":
        """The model whose cells do not see each other."""
        if self.network.chain is None:
            return self
        weights = self.layout.weights.unpack(self.weights)
        once = self.layout.constants.unpack(self.constants)
        del weights["chain"], once["chain"]
        n = self.network.n_cells
        once["cells"] = {name: array[:n] for name, array in once["cells"].items()}
        alone: Any = {"chain": None}
        return Model.of(replace(self.network, **alone), weights, once)
