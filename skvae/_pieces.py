"""Rows that come in pieces: a plan for one more pass, and what is learned by it."""

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from skvae import priors, schedules
from skvae._component import resolve
from skvae._plan import (
    AUTO_BATCH,
    INPUTS,
    Data,
    Plan,
    Table,
    continued_model,
    later,
    network_of,
    optimizer_of,
    parts_of,
    slots_of,
    started_model,
    table_of,
    task_of,
)
from skvae._sklearn import generator, warn
from skvae.likelihoods._auto import chooser
from skvae.table import arranged, listed

if TYPE_CHECKING:
    from skvae.training import Task

WARM_UP = 1000  # steps over which the KL term comes in
BATCH = AUTO_BATCH[1]
SECOND_STAGE = (
    "autoregressive=True is trained in a second stage, after the last piece, but partial_fit knows "
    "of no last one; set autoregressive=False, or give all rows to fit."
)
VARIED = (
    "Columns that had one value in the first piece, or none, have others now: {}. They have no "
    "part in the model; give partial_fit a schema in which they vary, before the first piece."
)


def random_of(vae: Any) -> np.random.Generator:
    """Random numbers of a fit, the same for all workers that train together."""
    rng = generator(vae.random_state)
    if "tensorflow" not in sys.modules:  # so there are none
        return rng
    from skvae.engine import agreed

    return agreed(rng)


def piece(vae: Any, X: Any, weight: Any = None, schema: Any = None) -> Plan:
    """The plan of one more pass, over rows whose columns hold what the first piece says."""
    if vae.autoregressive:
        raise ValueError(SECOND_STAGE)
    if hasattr(vae, "_model"):
        return _next(vae, X, weight)
    rng, choose, parts = random_of(vae), chooser(vae.likelihood), parts_of(vae)
    arrange, own = partial(arranged, weight=weight, rng=rng), schema is None
    first, how = (X, arrange) if own else (schema, partial(arrange, weight=None))
    table = table_of(vae, first, choose, how, continues=False)
    table = table if own else later(vae, X, table, arrange)
    optimizer, data = optimizer_of(vae), _data(table)
    network = network_of(vae, parts, table.codec, True, None)  # whatever holes come later
    model = started_model(vae, network, table.codec, data.telling, rng)
    task = task_of(vae, model, optimizer, data, (BATCH, BATCH))
    return _plan(vae, table, data, task, rng)


def _next(vae: Any, X: Any, weight: Any) -> Plan:
    """That of a later pass."""
    seed = int(random_of(vae).integers(2**31))
    rng = np.random.default_rng([seed, vae._n_steps])  # another one in each pass
    inputs = {name: vars(vae)[name] for name in INPUTS if name in vars(vae)}
    known = Table(vae._codec, None, inputs)
    table = later(vae, X, known, partial(arranged, weight=weight, rng=rng))
    optimizer, data = optimizer_of(vae), _data(table)
    model = continued_model(vae, parts_of(vae), chooser(vae.likelihood), vae._model)
    task = task_of(vae, model, optimizer, data, (BATCH, BATCH))
    return _plan(vae, table, data, task, rng)


def _plan(vae: Any, table: Table, data: Data, task: "Task", rng: Any) -> Plan:
    """That of a pass, in which the learning rate is held."""
    from skvae.training import Pace, Watch, begun

    history, steps = getattr(vae, "history_", {}), getattr(vae, "_n_steps", 0)
    epochs = len(history.get("loss", ()))
    schedule = _schedule(vae, epochs, steps, task.n_steps)
    pace = Pace.of(vae.learning_rate, schedule, 1, task.n_parts)
    last = _schedule(vae, int(vae.max_iter), WARM_UP, task.n_steps).beta_at(1, 1)
    pace, watch = pace._replace(fall=pace.end, last_beta=last), Watch(None, vae.tol, 0)
    start = begun(task, slots_of(vae, task, epochs), pace, watch, rng)
    prior, about = resolve(vae.prior, priors.Prior, priors), (history, True, table.inputs)
    return Plan(table.codec, task, start, prior, data, *about, None, steps)


def _data(table: Table) -> Data:
    """Rows to train on, of which none is held out."""
    if varied := table.codec.varied(table.rows):
        warn(VARIED.format(listed(varied)))
    x, offset = table.encoded()
    return Data(x, None, offset, None)


def _schedule(vae: Any, epochs: int, steps: int, n_steps: int) -> schedules.Schedule:
    """Beta in a pass: a number is risen to with steps, a schedule goes by passes."""
    max_iter = int(vae.max_iter)
    if isinstance(vae.beta, schedules.Schedule):
        own = resolve(vae.beta, schedules.Schedule, schedules)
        return schedules.Constant(own.beta_at(min(epochs + 1, max_iter), max_iter))
    if steps == 0 and n_steps > WARM_UP:
        return schedules.LinearWarmup(WARM_UP / n_steps, vae.beta)
    return schedules.Constant(vae.beta * min(1.0, (steps + n_steps) / WARM_UP))
