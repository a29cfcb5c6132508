"""The second stage: a frozen encoder, and cells that learn to see each other given its draws."""

from typing import Any

import numpy as np
from keras import ops

from skvae.engine import NUMBER, ROWS, SEED, Recipe, Shape, averaged_adam, normal, takes
from skvae.likelihoods._base import Column
from skvae.model import Chain, Inference, Mode, Model, Network
from skvae.schedules import Constant
from skvae.table import Cells
from skvae.training._loop import Task, TrainState, begun
from skvae.training._pace import Pace, Watch
from skvae.training._patterns import patterns
from skvae.training._relations import code_counts, relations, starts
from skvae.training._start import learned

OWN_ORDER = -0.5244  # 70 % of normal numbers lie above: shares of steps in the order of the cells
BATCH = 16, 128  # the smallest and the largest; between, a power of two, some 32 an epoch
STEPS, EPOCHS = 1000, (10, 40)  # that training takes, and in how many epochs
RATE = 2e-3
XLA_PAYS = 1e11  # multiplications from which on it does: it compiles for some seconds
PATIENCE = 4


def second(
    task: Task,
    model: Model,
    columns: list[Column],
    max_iter: int,
    fewest: int,
    rng: np.random.Generator,
) -> tuple[Task, TrainState]:
    """The task of training cells to see each other, all else frozen, and where it begins.

    `task` was that of the first stage, and `model` is what it left.
    """
    network, x = model.network, task.rows
    sizes, varies = code_counts(network.likelihood, columns), model.learned()["cells"]["varies"] > 0
    holed, holes = patterns(x, sizes, varies, fewest, rng)
    chain = Chain.of(network.latent_dim, network.likelihood, columns, holed)
    shared = model.layout.constants.unpack(model.constants)["likelihood"]
    once = {"likelihood": shared, "alone": _alone(chain, x.filled(), columns), "holes": holes}
    once |= starts(chain, once, relations(x, sizes, fewest, rng))
    task = _task(task, model.frozen(chain, chain.init(rng), once), max_iter)
    parts = len(task.ends)
    pace = Pace.of(RATE, Constant(), _n_epochs(task.n_steps, max_iter), parts)._replace(fall=0)
    watch = Watch(None if task.validation is None else PATIENCE * parts, 0.0, 0)
    return task, begun(task, None, pace, watch, rng)


def _alone(chain: Chain, x: Cells, columns: list[Column]) -> dict[str, dict]:
    """The constants of cells with slots, each by itself, of rows without holes."""
    kinds = [kind for kind, size in chain.joint.parts() for _ in range(size.cells)]
    return {
        str(j): learned(kind, x.span(j, j + 1), columns[j : j + 1])
        for j, kind in enumerate(kinds)
        if kind.has_slots
    }


def _task(before: Task, model: Model, max_iter: int) -> Task:
    """The task of training the weights of a model."""
    batch_size, rows = _batch_size(len(before.rows)), before.rows
    steps = -(-len(rows) // batch_size)
    work = steps * _n_epochs(steps, max_iter) * batch_size * model.network.cost(1)
    xla, noise = model.network.encoder.xla and work > XLA_PAYS, model.network.n_cells + 1
    recipe = Recipe(_losses, averaged_adam, 1, False, False, rows.sparse, xla, 0, noise, _judged)
    return Task(model, recipe, rows, before.validation, batch_size, 0.0, 0.0)


def _batch_size(n_rows: int) -> int:
    smallest, largest = BATCH
    return min(n_rows, max(smallest, min(2 ** (n_rows // 32).bit_length() // 2, largest)))


def _n_epochs(n_steps: int, max_iter: int) -> int:
    """Epochs of so many steps."""
    fewest, most = EPOCHS
    return min(max_iter, max(fewest, min(most, -(-STEPS // n_steps))))


def _losses(
    network: Network, w: dict, x: Any, noise: Any, mode: Mode, beta: Any
) -> tuple[Any, Any, Any]:
    """The loss of each row in an order of the cells that changes from step to step."""
    noise, drawn = ops.split(noise, [network.latent_dim], axis=-1)
    z, _ = network.posterior_sample(w, x, noise)
    before = _order(drawn[0, 0], network.n_cells)  # one for all rows
    log_lik = ops.mean(network.chained(w, x, z, before), axis=0)
    return -log_lik - network.log_holes(w, x), log_lik, ops.zeros_like(log_lik)


def _order(drawn: Any, n: int) -> Any:
    """1 where the second of two cells comes before the first: in their own order or a random one.

    It is made of one more normal number than there are cells.
    """
    places = ops.where(drawn[-1] > OWN_ORDER, np.arange(n, dtype=np.float32), drawn[:-1])
    return ops.cast(places < ops.expand_dims(places, 1), "float32")


@takes(ROWS, SEED, Shape((2,), "int32"), NUMBER)
def _judged(network: Network, w: dict, x: Any, seed: Any, draws: Any, beta: Any) -> tuple:
    """The loss that judges each row, in the cells' own order."""
    noise = normal((draws[0], ops.shape(x)[0], network.latent_dim), seed)
    z, _ = network.posterior_sample(w, x, noise)
    log_lik = ops.mean(network.log_likelihood(w, x, z, Inference()), axis=0)
    return (-log_lik - network.log_holes(w, x),)
