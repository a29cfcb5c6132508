"""What a fit leaves."""

from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np

from skvae.model._network import Network
from skvae.model._weights import Layout, Nest


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

    @classmethod
    def of(cls, network: Network, weights: dict, constants: dict) -> Self:
        """The model with these arrays."""
        (own, vector), (once, fixed) = Nest.of(weights), Nest.of(constants)
        return cls(network, Layout(own, once), vector, fixed)

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
