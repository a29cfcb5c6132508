"""The second stage: a frozen encoder, and cells that learn to see each other given its draws."""

from typing import Any

import numpy as np

from skvae._math import ops, split
from skvae.engine import (
    NUMBER,
    ROWS,
    SEED,
    Recipe,
    Shape,
    averaged_adam,
    normal,
    takes,
    workers,
)
from skvae.likelihoods._base import Column, Size, padded
from skvae.model import Chain, Inference, Joint, Mode, Model, Network
from skvae.schedules import Constant
from skvae.table import Cells, Codec
from skvae.training._loop import Task, TrainState, begun
from skvae.training._pace import Pace, Watch
from skvae.training._patterns import patterns
from skvae.training._relations import code_counts, relations, starts
from skvae.training._start import learned

OWN_ORDER = -0.5244  # 70 % of normal numbers lie above: shares of steps in the order of the cells
BATCH = 16, 128  # the smallest and the largest; between, a power of two, some 32 an epoch
STEPS, EPOCHS = 1000, (8, 40)  # that training takes, and in how many epochs
RATE = 2e-3, 3e-3  # of few rows, which the larger one overfits, and of many
MANY = 30_000  # rows: between, in proportion
XLA_PAYS = 1e11  # multiplications from which on it does: it compiles for some seconds
PATIENCE = 4


def second(
    model: Model,
    rows: tuple[Cells, Any, Any],
    codec: Codec,
    settings: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Task, TrainState]:
    """The task of training cells to see each other, all else frozen, and where it begins.

    `model` is what the first stage left, `rows` are those that tell of columns and those of
    training and validation, with the cells of sums, and `settings` are max_iter and min_count.
    """
    max_iter, fewest = settings
    task = _task(_chained(model, rows[0], codec, fewest, rng), *rows[1:], max_iter)
    parts, rate, epochs = task.n_parts, _rate(len(task.rows)), _n_epochs(task.n_steps, max_iter)
    pace = Pace.of(rate, Constant(), epochs, parts)._replace(fall=0)
    watch = Watch(None if task.validation is None else PATIENCE * parts, 0.0, 0)
    return task, begun(task, None, pace, watch, rng)


def _chained(model: Model, x: Cells, codec: Codec, fewest: int, rng: np.random.Generator) -> Model:
    """The frozen model with a chain of its cells and of sums of them, before training."""
    network, sums = model.network, codec.sums
    joint, columns = _with_sums(network.likelihood, sums), codec.columns() + sums.columns()
    sizes, varies = code_counts(joint, columns), model.learned()["cells"]["varies"] > 0
    of_columns, n = x.span(0, network.n_cells), network.n_cells
    holed, holes = patterns(of_columns, sizes[:n], varies, fewest, rng)
    chain = Chain.of(network.latent_dim, joint, columns, holed, sums.telling())
    shared, filled = model.layout.constants.unpack(model.constants)["likelihood"], x.filled()
    once = {
        "likelihood": shared | _of_sums(chain, filled, sums.columns()),
        "alone": _alone(chain, filled, columns),
        "holes": holes,
        "sums": [own.slopes() for own in sums.sums],
    }
    once |= starts(chain, once, relations(x, sizes, fewest, rng, sums.telling()))
    return model.frozen(chain, chain.init(rng), once, sums)


def _with_sums(joint: Joint, sums: Any) -> Joint:
    """The likelihoods of cells, and that of the cells of sums."""
    if not sums:
        return joint
    size = Size(len(sums), padded(sum(column.n_slots for column in sums.columns())))
    return Joint((*joint.likelihoods, sums.likelihood), (*joint.sizes, size))


def _of_sums(chain: Chain, x: Cells, columns: list[Column]) -> dict[str, dict]:
    """The constants of the cells of sums, of rows without holes."""
    if not columns:
        return {}
    *_, kind = chain.joint.likelihoods
    own = learned(kind, x.span(chain.n_cells - len(columns), chain.n_cells), columns)
    return {str(len(chain.joint.likelihoods) - 1): own}


def _alone(chain: Chain, x: Cells, columns: list[Column]) -> dict[str, dict]:
    """The constants of cells with slots, each by itself, of rows without holes."""
    kinds = [kind for kind, size in chain.joint.parts() for _ in range(size.cells)]
    return {
        str(j): learned(kind, x.span(j, j + 1), columns[j : j + 1])
        for j, kind in enumerate(kinds)
        if kind.has_slots
    }


def _task(model: Model, rows: Cells, validation: Cells | None, max_iter: int) -> Task:
    """The task of training the weights of a model."""
    n_workers, rank = workers()
    rows = rows.share(n_workers, rank)
    n_rows, (smallest, largest) = len(rows), BATCH
    fitting = max(smallest, min(2 ** (n_rows // 32).bit_length() // 2, largest))
    batch_size = min(n_rows, fitting)
    steps = -(-n_rows // batch_size)
    work = steps * _n_epochs(steps, max_iter) * batch_size * model.network.cost(1)
    xla = model.network.encoder.xla and work > XLA_PAYS
    how: dict = {"noise": model.network.n_cells + 1, "judge": _judged, "workers": n_workers}
    recipe = Recipe(_losses, averaged_adam, 1, False, False, rows.sparse, xla, **how)
    return Task(model, recipe, rows, validation, batch_size, 0.0, 0.0)


def _rate(n_rows: int) -> float:
    few, many = RATE
    return min(many, max(few, many * n_rows / MANY))


def _n_epochs(n_steps: int, max_iter: int) -> int:
    """Epochs of so many steps."""
    fewest, most = EPOCHS
    return min(max_iter, max(fewest, min(most, -(-STEPS // n_steps))))


def _losses(network: Network, w: dict, x: Any, noise: Any, mode: Mode, betas: Any) -> tuple:
    """The loss of each row in an order of the cells that changes from step to step."""
    noise, drawn = split(noise, [network.latent_dim, noise.shape[-1] - network.latent_dim])
    z, _ = network.posterior_sample(w, x, noise)
    before = _order(drawn[0, 0], network.n_cells)  # one for all rows
    log_lik = ops.mean(network.chained(w, x, z, before), axis=0)
    loss = -log_lik - network.log_holes(w, x)
    return loss, loss, log_lik, ops.zeros_like(log_lik)


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
