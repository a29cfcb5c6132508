"""Where training starts: constants learned from the rows, and random weights or fitted ones."""

from typing import Any

import numpy as np

from skvae.engine import xla_pays
from skvae.engine._start import START_BATCH, START_ROWS, START_STEPS, compiled_start
from skvae.likelihoods import Likelihood
from skvae.model import Model, Network
from skvae.table import Cells
from skvae.training._embedding import embedding

SHOWN = 1024  # rows that a prior sees before training
START_RATE = 2e-3


def untrained(
    network: Network, x: Cells, columns: list, varies: np.ndarray, rng: np.random.Generator
) -> Model:
    """The model of a network with random weights, for encoded rows."""
    constants = _constants(network, x.filled(), columns, varies)
    some = np.linspace(0, len(x) - 1, min(len(x), SHOWN)).astype(np.intp)
    return Model.of(network, network.init(rng, x[some], constants), constants)


def _constants(network: Network, x: Cells, columns: list, varies: np.ndarray) -> dict:
    """What is learned once from the encoded rows, without holes: NumPy arrays by part."""
    joint = network.likelihood
    own = {
        str(i): _learned(part, x.span(*span), columns[slice(*span)])
        for i, (part, span) in enumerate(zip(joint.likelihoods, joint.spans(), strict=True))
    }
    cells = {"varies": varies.astype(np.float32), "filler": x.mean()}  # no row's own cells
    return {"likelihood": own, "cells": cells}


def _learned(part: Likelihood, x: Cells, columns: list) -> dict[str, np.ndarray]:
    """The constants of a likelihood; without slots it sees as many columns as may be dense at once."""
    if part.has_slots:
        return part.constants(x, columns)
    spans = list(x.spans())
    found = [part.constants(x.span(*span)[:], columns[slice(*span)]) for span in spans]
    return {name: np.concatenate([a[name] for a in found], axis=-1) for name in found[0]}


def embedded(init: Any, model: Model, x: Cells, features: np.ndarray, rng: Any) -> np.ndarray:
    """Weights fitted to an embedding of rows, given their features."""
    z = embedding(init, features, model.network.latent_dim, int(rng.integers(2**31)))
    x, z = (np.resize(array, (START_ROWS, array.shape[1])) for array in (x[:], z))
    order = rng.integers(START_ROWS, size=(START_STEPS, START_BATCH), dtype=np.int32)
    noise = rng.standard_normal((*order.shape, model.network.latent_dim), np.float32)
    rates = START_RATE * np.linspace(1, 0, START_STEPS, dtype=np.float32)
    xla = xla_pays(model.network, model.layout.weights.size, START_STEPS)
    run = compiled_start(model.architecture, xla)
    return run(model.weights, model.constants, x, z, order, noise, rates).numpy()
