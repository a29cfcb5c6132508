"""Where training starts: constants learned from the rows, and random weights or fitted ones."""

from collections import deque
from typing import Any

import numpy as np

from skvae._math import normal_log_prob, ops
from skvae.engine import Recipe, adam, xla_pays
from skvae.likelihoods import Likelihood
from skvae.model import Mode, Model, Network, numbered
from skvae.schedules import Constant
from skvae.table import Cells, Dense
from skvae.training._embedding import embedding
from skvae.training._loop import Task, begun, states
from skvae.training._pace import Pace, Watch

SHOWN = 1024  # rows that a prior sees before training
ROWS, EPOCHS, BATCH, RATE = 2000, 125, 128, 2e-3  # of fitting to an embedding
SCALE = 0.1  # of q(z | x) around the embedding, whose dimensions have the scale 1


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
    own = [
        learned(part, x.span(*span), columns[slice(*span)])
        for part, span in zip(joint.likelihoods, joint.spans(), strict=True)
    ]
    cells = {"varies": varies.astype(np.float32), "filler": x.mean()}  # no row's own cells
    return {"likelihood": numbered(own), "cells": cells}


def learned(part: Likelihood, x: Any, columns: list) -> dict[str, np.ndarray]:
    """The constants of a likelihood; without slots it sees some columns at a time."""
    if part.has_slots:
        return part.constants(x, columns)
    spans = list(x.spans())
    found = [part.constants(x.span(*span)[:], columns[slice(*span)]) for span in spans]
    return {name: np.concatenate([a[name] for a in found], axis=-1) for name in found[0]}


def embedded(init: Any, model: Model, x: Cells, features: np.ndarray, rng: Any) -> np.ndarray:
    """Weights fitted to an embedding of rows, given their features.

    It is the ELBO with a narrow normal around its own place in z as the prior of each row.
    """
    z = embedding(init, features, model.network.latent_dim, int(rng.integers(2**31)))
    rows = np.resize(np.hstack([x[:], z]), (ROWS, x.shape[1] + z.shape[1]))  # again and again
    xla = xla_pays(model.network, model.layout.weights.size, EPOCHS * ROWS // BATCH)
    recipe = Recipe(_to_embedding, adam, 1, False, False, False, xla, z.shape[1])
    task = Task(model, recipe, Dense(rows), None, BATCH, 0.0, 0.0)
    pace = Pace.of(RATE, Constant(), EPOCHS, 1)._replace(fall=0)
    start = begun(task, None, pace, Watch(None, 0.0, 0), rng)
    try:
        last = deque(states(task, start), maxlen=1).pop()
    except ValueError as error:
        error.add_note(f"This was the start from init={init!r}; init='random' does without it.")
        raise
    rng.bit_generator.state = last.generator
    return np.asarray(last.state.weights)


def _to_embedding(network: Network, w: dict, x: Any, noise: Any, mode: Mode, betas: Any) -> tuple:
    """The loss of rows that carry a place in z beside their cells, as `Network.losses` has it."""
    x, place = x[:, : network.n_cells], x[:, network.n_cells :]
    z, log_q = network.posterior.sample(w["posterior"], network.encode(w, x, mode), noise)
    log_ratio = log_q - ops.sum(normal_log_prob((z - place) / SCALE), axis=-1)
    log_lik = network.log_likelihood(w, x, z, mode)
    loss, *terms = (ops.mean(a, axis=0) for a in (log_ratio - log_lik, log_lik, log_ratio))
    return loss, loss, *terms
