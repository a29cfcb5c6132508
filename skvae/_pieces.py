"""Rows that come in pieces: a plan for one more pass, and what is learned by it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from skvae import priors, schedules
from skvae._component import resolve
from skvae._plan import (
    AUTO_BATCH,
    INPUTS,
    Data,
    Plan,
    continued_model,
    generator,
    later_rows,
    network_of,
    optimizer_of,
    parts_of,
    slots_of,
    started_model,
    table_of,
    task_of,
)
from skvae._sklearn import warn
from skvae.likelihoods._auto import chooser
from skvae.table import Codec, Rows, listed

if TYPE_CHECKING:
    from skvae.training import Task, TrainState

WARM_UP = 1000  # steps over which the KL term comes in
DRAWS = 2000  # behind lower_bound_
BATCH = AUTO_BATCH[1]
SECOND_STAGE = (
    "autoregressive=True is trained in a second stage, after the last piece, but partial_fit knows "
    "of no last one; set autoregressive=False, or give all rows to fit."
)
VARIED = (
    "Columns that had one value in the first piece, or none, have others now: {}. They have no "
    "part in the model; give partial_fit a schema in which they vary, before the first piece."
)


def piece(vae: Any, X: Any, schema: Any = None) -> Plan:
    """The plan of one more pass, over rows whose columns hold what the first piece says."""
    if vae.autoregressive:
        raise ValueError(SECOND_STAGE)
    if hasattr(vae, "_model"):
        return _next(vae, X)
    rng, choose, parts = generator(vae.random_state), chooser(vae.likelihood), parts_of(vae)
    codec, _, inputs = table_of(vae, X if schema is None else schema, choose, continues=False)
    optimizer, data = optimizer_of(vae), _data(codec, later_rows(vae, X, codec, inputs))
    network = network_of(vae, parts, codec, True, None)  # whatever holes come later
    model = started_model(vae, network, codec, data.training, rng)
    task = task_of(vae, model, optimizer, data, (BATCH, BATCH))
    return _plan(vae, codec, inputs, data, task, rng)


def _next(vae: Any, X: Any) -> Plan:
    """That of a later pass."""
    codec, seed = vae._codec, int(generator(vae.random_state).integers(2**31))
    inputs = {name: vars(vae)[name] for name in INPUTS if name in vars(vae)}
    optimizer, data = optimizer_of(vae), _data(codec, later_rows(vae, X, codec, inputs))
    model = continued_model(vae, parts_of(vae), chooser(vae.likelihood), vae._model)
    task = task_of(vae, model, optimizer, data, (BATCH, BATCH))
    rng = np.random.default_rng([seed, vae._n_steps])  # another one in each pass
    return _plan(vae, codec, inputs, data, task, rng)


def _plan(vae: Any, codec: Codec, inputs: dict, data: Data, task: "Task", rng: Any) -> Plan:
    history, steps = getattr(vae, "history_", {}), getattr(vae, "_n_steps", 0)
    start = _start(vae, task, len(history.get("loss", ())), steps, rng)
    prior = resolve(vae.prior, priors.Prior, priors)
    return Plan(codec, task, start, prior, data, history, True, inputs, None, steps, DRAWS)


def _data(codec: Codec, rows: Rows) -> Data:
    """Rows to train on, of which none is held out."""
    if varied := codec.varied(rows):
        warn(VARIED.format(listed(varied)))
    x, offset, *_ = codec.encode(rows, warns=True)
    return Data(x, None, offset, None)


def _start(vae: Any, task: "Task", epochs: int, steps: int, rng: Any) -> "TrainState":
    """The state in which a pass begins: its learning rate is held."""
    from skvae.training import Pace, Watch, begun

    schedule = _schedule(vae, epochs, steps, task.n_steps)
    pace = Pace.of(vae.learning_rate, schedule, 1, len(task.ends))
    pace = pace._replace(fall=pace.end)
    return begun(task, slots_of(vae, task, epochs), pace, Watch(None, vae.tol, 0), rng)


def _schedule(vae: Any, epochs: int, steps: int, n_steps: int) -> schedules.Schedule:
    """Beta in a pass: a number is risen to with steps, a schedule goes by passes."""
    max_iter = int(vae.max_iter)
    if isinstance(vae.beta, schedules.Schedule):
        own = resolve(vae.beta, schedules.Schedule, schedules)
        return schedules.Constant(own.beta_at(min(epochs + 1, max_iter), max_iter))
    if steps == 0 and n_steps > WARM_UP:
        return schedules.LinearWarmup(WARM_UP / n_steps, vae.beta)
    return schedules.Constant(vae.beta * min(1.0, (steps + n_steps) / WARM_UP))
