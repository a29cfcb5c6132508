"""What a fit is going to do: parameters and rows checked, and training prepared, as a value."""

import os
from collections.abc import Callable
from copy import copy
from functools import partial
from math import ceil
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skvae import objectives, posteriors, priors, schedules
from skvae._component import resolve
from skvae._math import keras
from skvae._sklearn import generator
from skvae.likelihoods._auto import chooser
from skvae.table import (
    Cells,
    Codec,
    Encoded,
    Frame,
    Rows,
    arranged,
    checked,
    nearest_first,
    parted,
    warn_of_doubts,
)

if TYPE_CHECKING:
    from skvae.model import Model, Network
    from skvae.training import Task, TrainState

VALIDATION_ROWS = 10, 25_000  # fewer cannot tell one epoch from another, more tell no better
WARM_UP = 0.25, 50, 5000  # the KL term comes in over this share of max_iter, so many epochs, steps
MOST_IN_A_STEP = 2**29  # of draws in a step: 2 GiB
AUTO_BATCH = 16, 128  # the smallest and the largest; between, a power of two, some sixteen an epoch
HISTORY = {"loss": -1, "log_likelihood": 1, "kl": 0, "beta": 0, "validation_loss": -1}  # signs
CELLS = "training", "validation", "some"
MOST_CELLS = 1100  # that see each other
INPUTS = "n_features_in_", "feature_names_in_"


class Data(NamedTuple):
    """The encoded rows of a fit, and what turns nats of their cells into nats in the units of X."""

    training: Any  # Cells, or Stored
    validation: Cells | None
    offset: np.ndarray  # (rows,) of those that tell
    held_out: Any  # the same of validation
    held_rows: np.ndarray | None = None  # places of these rows in the table
    some: Cells | None = None  # a sample of stored rows
    shown: Any = None  # of a table in blocks, the rows that callbacks are shown, as they came

    @property
    def telling(self) -> Cells:
        """Rows in memory that tell of all."""
        return self.training if self.some is None else self.some

    @property
    def rows(self) -> tuple:
        """Those that tell of all, and those of training and of validation."""
        return self.telling, self.training, self.validation

    def without_sums(self, n: int) -> "Data":
        """The same of the cells of n columns alone."""
        if self.training.shape[1] == n:
            return self
        cells = ((name, getattr(self, name)) for name in CELLS)
        own: dict[str, Any] = {name: x.span(0, n) for name, x in cells if x is not None}
        return self._replace(**own)

    def any_holes(self) -> bool:
        """Whether there is a hole."""
        return any(cells.any_holes() for cells in self.rows[1:] if cells is not None)

    def shift(self, hide: float) -> np.ndarray:
        """What turns curves into nats in the units of X, (5,)."""
        shown = self.offset.mean() * (1 - hide)
        judged = shown if self.validation is None else self.held_out.mean()
        means = [judged if name == "validation_loss" else shown for name in HISTORY]
        return np.array(means) * list(HISTORY.values())


class Plan(NamedTuple):
    """A fit before its training: what is trained, from where on, and what it will mean."""

    codec: Codec
    task: "Task"
    start: "TrainState"
    prior: priors.Prior  # that of the fitted model
    data: Data  # with the cells of sums
    history: dict  # of the fit that this one continues
    keeps: bool  # whether a later fit may continue this one
    inputs: dict  # what the estimator is told of X
    second: Any = None  # function from the model of the first stage to the second: task, start
    steps: int = 0  # done before

    def shown(self, X: Any, y: Any, X_val: Any) -> tuple[Any, Any]:
        """What callbacks are given of what `fit` was."""
        if X_val is not None:
            return X_val, None
        return (X, y) if self.data.shown is None else (self.data.shown, None)

    @property
    def own(self) -> Data:
        """The rows without the cells of sums."""
        return self.data.without_sums(len(self.codec.names))

    @property
    def shift(self) -> np.ndarray:
        """What turns curves into nats in the units of X, (5,)."""
        return self.data.shift(self.task.hide)


class Table(NamedTuple):
    """Rows in the order in which they are learned of, and what is known of their columns."""

    codec: Codec
    rows: Any  # Rows; None of a table that is known from before
    inputs: dict  # what the estimator is told of them
    least: int = 1  # how often a value has to come for it to be kept
    how: str = "warns"  # they are encoded

    def encoded(self, new: dict | None = None) -> Encoded:
        """Their cells."""
        how: Any = {self.how: True, "new": new}
        return told_of(partial(self.codec.encode, **how), self.rows)


def planned(
    vae: Any,
    X: Any,
    rng: np.random.Generator | None = None,
    X_val: Any | None = None,
    weights: tuple[Any, Any] = (None, None),
    divide: Callable | None = None,
) -> Plan:
    """Check everything, in the order that gives the clearest message; then prepare training.

    `weights` are those of X and of X_val. `divide` makes the rows that are trained on, if those of
    X only stand for them.
    """
    before = vae._model if vae.warm_start and hasattr(vae, "_model") else None
    rng = rng or generator(vae.random_state)
    choose, parts = chooser(vae.likelihood), parts_of(vae)
    _hidden_layers(vae.hidden_layer_sizes), _schedule(vae, 0, 1)  # wrong ones are told at once
    arranges = [partial(arranged, weight=weight, rng=rng) for weight in weights]
    table = table_of(vae, X, choose, arranges[0], continues=before is not None)
    judges = _judging(vae, X_val, table, arranges[1])
    codec, optimizer, second = table.codec, optimizer_of(vae), _second_of(vae, table)
    data = (divide or _divided)(vae, table, judges, rng)
    own = data.without_sums(len(codec.names))
    if before is None:
        model, history = _new_model(vae, parts, codec, own, rng), {}
    else:
        model, history = continued_model(vae, parts, choose, before), vae.history_
    task = task_of(vae, model, optimizer, own)
    start = _start(vae, task, len(history.get("loss", ())), rng)
    prior, steps = resolve(vae.prior, priors.Prior, priors), vae._n_steps if history else 0
    about = history, vae.warm_start, table.inputs
    return Plan(codec, task, start, prior, data, *about, second, steps)


def _second_of(vae: Any, table: Table) -> Callable | None:
    """The function from the first stage to the second, in which cells learn to see each other."""
    if not vae.autoregressive:
        return None
    n_columns = len(table.rows.names)
    if n_columns > MOST_CELLS:
        raise ValueError(
            f"autoregressive=True with {n_columns} columns, but at most {MOST_CELLS} are "
            "expected, since each column sees all before it; set autoregressive=False, or drop "
            "columns."
        )
    from skvae.training import second

    return partial(second, codec=table.codec, settings=(int(vae.max_iter), table.least))


def parts_of(vae: Any) -> dict:
    """The parameters that make the architecture, validated."""
    return {
        "latent_dim": int(vae.latent_dim),
        "prior": resolve(vae.prior, priors.Prior, priors).in_training,
        "posterior": resolve(vae.posterior, posteriors.Posterior, posteriors),
        "objective": resolve(vae.objective, objectives.Objective, objectives),
    }


def table_of(vae: Any, X: Any, choose: Callable, arrange: Callable, continues: bool) -> Table:
    """What is learned of the rows of X, which `arrange` puts in order."""
    reader = copy(vae)  # takes note of columns in the place of the estimator
    rows = checked(reader, X, reset=not continues, like=vae._codec.frame if continues else None)
    named = vae.likelihood if isinstance(vae.likelihood, dict) else {}
    unknown = [name for name in named if name not in rows.names]
    if unknown:
        raise ValueError(
            f"likelihood names column {unknown[0]!r}, but X has no such column; its columns are "
            f"{nearest_first(unknown[0], rows.names)}."
        )
    inputs = {name: vars(reader)[name] for name in INPUTS if name in vars(reader)}
    rows = arrange(rows)
    least = ceil(vae.min_count * rows.times) if vae.min_count > 1 else 1
    if continues:
        codec = vae._codec
        if vae.autoregressive and vae._model.network.chain is None:
            codec = codec.with_sums(rows, least)
        return Table(codec, rows, inputs, least, "continues")
    kind: Any = {"frame": Frame.of(X, rows.names), "choose": choose, "min_count": least}
    codec = told_of(partial(Codec.learn, sums=vae.autoregressive, **kind), rows.telling)
    warn_of_doubts(rows.as_given, codec.features, known=named)
    return Table(codec, rows, inputs, least, "supported")


def told_of(work: Callable, rows: Rows) -> Any:
    """What is made of rows; errors tell of rows of the table."""
    try:
        return work(rows)
    except ValueError as error:
        found = error
    work(rows.as_given)
    raise found


def later(vae: Any, X: Any, table: Table, arrange: Callable) -> Table:
    """Rows of a table like the one that was learned of."""
    reader = copy(vae)
    vars(reader).update(table.inputs)
    rows = arrange(checked(reader, X, reset=False, like=table.codec.frame))
    return table._replace(rows=rows, how="warns")


def _judging(vae: Any, X_val: Any, table: Table, arrange: Any) -> Encoded | None:
    """Rows of the user's own that judge training."""
    if X_val is None:
        if arrange.keywords["weight"] is not None:
            raise ValueError(
                "sample_weight_val has weights, but there are no rows: give X_val too."
            )
        return None
    try:
        return later(vae, X_val, table, arrange).encoded()
    except (TypeError, ValueError) as error:
        error.add_note("This was X_val, of which X says what columns hold.")
        raise


def optimizer_of(vae: Any) -> Callable:
    """The optimiser, and an engine that is ready for it."""
    try:
        backend = keras.config.backend()
    except ImportError:  # so it is where Keras is told to use a backend that is not installed
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        if backend == "tensorflow":
            raise
    if backend != "tensorflow":
        raise RuntimeError(
            f"KERAS_BACKEND={backend} is set, but skvae trains with TensorFlow; start Python with "
            "KERAS_BACKEND=tensorflow or without that variable."
        )
    from skvae import engine

    engine.limit_threads()
    engine.enter()
    return engine.optimizer_of(vae.optimizer)


def _divided(vae: Any, table: Table, judges: Encoded | None, rng: np.random.Generator) -> Data:
    """Training rows, which take the memory of all, and rows that are held out, if any."""
    x, offset = table.encoded()
    if judges is not None:
        return Data(x, judges.x, offset, judges.offset)
    n, n_held_out = len(x), held_out_of(vae, len(x))
    if not n_held_out:
        return Data(x, None, offset, None)
    if table.rows.times == 1:
        held_out = rng.permutation(np.arange(n, dtype=np.int32))[:n_held_out]
    else:  # a row that comes several times for its share is held out as a whole
        number = np.append(0, np.cumsum(np.diff(table.rows.places) != 0))
        held_out = np.argsort(rng.random(n)[number], kind="stable")[:n_held_out].astype(np.int32)
    return Data(*x.parted(held_out), *parted(offset, held_out), table.rows.places[held_out])


def held_out_of(vae: Any, n: int) -> int:
    """How many of n rows are held out."""
    fewest, most = VALIDATION_ROWS
    n_held_out = min(most, int(np.ceil(vae.validation_fraction * n)))
    if n_held_out < fewest or not vae.early_stopping:
        return 0
    if n_held_out >= n:
        raise ValueError(
            f"validation_fraction={vae.validation_fraction} of {n} rows leaves none to train on; "
            "lower it, or set early_stopping=False."
        )
    return n_held_out


def network_of(vae: Any, parts: dict, codec: Codec, holes: bool, before: Any) -> "Network":
    """The architecture that the parameters ask for; `before` is that of a fit that goes on."""
    from skvae.model import Joint, Network, dense, of_user

    hidden = _hidden_layers(vae.hidden_layer_sizes)
    layers: dict = {
        "encoder": dense(hidden, vae.activation),
        "decoder": dense(hidden[::-1], vae.activation),
    }
    own = {name: getattr(vae, name) for name in layers}
    layers |= {
        name: of_user(build, name, getattr(before, name, None))
        for name, build in own.items()
        if build is not None
    }
    joint = Joint(codec.kinds, codec.sizes)
    return Network.of(
        stacks=(layers["encoder"], layers["decoder"]), likelihood=joint, holes=holes, **parts
    )


def continued_model(vae: Any, parts: dict, choose: Callable, before: "Model") -> "Model":
    """The model of the last fit as it is trained, if it still is what the parameters ask for."""
    from skvae.inference import trainable

    model, codec = trainable(before), vae._codec
    asked = network_of(vae, parts, codec, model.network.holes, model.network)
    if codec.has_likelihoods_of(choose) and asked == model.network:
        return model
    raise ValueError(
        "warm_start continues the model of the last fit, but its architecture or its likelihoods "
        "differ; set warm_start=False."
    )


def _new_model(
    vae: Any, parts: dict, codec: Codec, data: Data, rng: np.random.Generator
) -> "Model":
    """The untrained model that the parameters ask for."""
    network = network_of(vae, parts, codec, data.any_holes() or vae.hide > 0, None)
    return started_model(vae, network, codec, data.telling, rng)


def started_model(
    vae: Any, network: "Network", codec: Codec, x: Cells, rng: np.random.Generator
) -> "Model":
    """The untrained model, random or fitted to an embedding of some rows."""
    from skvae.inference import features
    from skvae.training import START_ROWS, embedded, untrained

    model = untrained(network, x, codec.columns(), codec.varies[codec.order], rng)
    if vae.init == "random":
        return model
    some = x.take(rng.permutation(len(x))[:START_ROWS])
    weights = embedded(vae.init, model, some, features(model, some), rng)
    return model._replace(weights=weights)


def task_of(
    vae: Any, model: "Model", optimizer: Callable, data: Data, auto: Any = AUTO_BATCH
) -> "Task":
    """What is trained, on which rows, by which program."""
    from skvae.engine import Recipe, workers, xla_pays
    from skvae.model import Network
    from skvae.training import Task

    n_workers, rank = workers()
    rows = data.training.share(n_workers, rank)
    n_rows, (smallest, largest) = len(rows), auto
    auto = min(max(smallest, 2 ** (n_rows // 16).bit_length() // 2), largest)
    asked = auto if vae.batch_size == "auto" else vae.batch_size
    batch_size = min(asked, *rows.heights)
    numbers = model.network.numbers_per_draw
    if vae.n_draws > 1 and vae.n_draws * batch_size * numbers > MOST_IN_A_STEP:
        raise ValueError(
            f"n_draws={vae.n_draws} takes {vae.n_draws} x {batch_size} x {numbers} numbers in each "
            f"step, but at most {MOST_IN_A_STEP} are expected; lower n_draws or batch_size."
        )
    n_steps = vae.max_iter * -(-n_rows // batch_size)
    recipe = Recipe(
        loss=Network.losses,
        optimizer=optimizer,
        n_draws=vae.n_draws,
        drops=vae.dropout > 0,
        hides=vae.hide > 0,
        sparse=rows.sparse,
        xla=xla_pays(model.network, model.layout.weights.size, n_steps),
        workers=n_workers,
    )
    return Task(model, recipe, rows, data.validation, batch_size, vae.dropout, vae.hide)


def _start(vae: Any, task: "Task", epochs_before: int, rng: np.random.Generator) -> "TrainState":
    """The state in which training begins."""
    from skvae.training import Pace, Watch, begun

    schedule = _schedule(vae, epochs_before, task.n_steps)
    pace = Pace.of(vae.learning_rate, schedule, int(vae.max_iter), task.n_parts)
    patience = pace.patience(vae.n_iter_no_change) if vae.early_stopping else None
    watch = Watch(patience, vae.tol, pace.settled)
    return begun(task, slots_of(vae, task, epochs_before), pace, watch, rng)


def slots_of(vae: Any, task: "Task", epochs_before: int) -> tuple | None:
    """The optimiser's own arrays of the fit that this one continues, if it is the same one."""
    from skvae.engine import name_of_optimizer

    before, slots = getattr(vae, "_slots", None) or (None, None)
    same = before == name_of_optimizer(task.recipe.optimizer)
    return slots if epochs_before and same else None


def _schedule(vae: Any, epochs_before: int, n_steps: int) -> schedules.Schedule:
    """How beta moves: a number is risen to, in epochs or, where they are long, within one."""
    max_iter = int(vae.max_iter)
    if isinstance(vae.beta, schedules.Schedule):
        schedule = resolve(vae.beta, schedules.Schedule, schedules)
        last = schedule.beta_at(max_iter, max_iter)
        return schedules.Constant(last) if epochs_before else schedule
    share, most_epochs, most_steps = WARM_UP
    length = min(share * max_iter, most_epochs, most_steps / n_steps)
    return (
        schedules.Constant(vae.beta) if epochs_before else schedules.LinearWarmup(length, vae.beta)
    )


def _hidden_layers(sizes: Any) -> tuple[int, ...]:
    layers: Any = tuple(np.atleast_1d(np.asarray(sizes, dtype=object)).tolist())
    if not all(isinstance(size, Integral) and int(size) >= 1 for size in layers):
        raise ValueError(
            f"hidden_layer_sizes={sizes!r}, but each layer needs a whole number of units of at "
            "least 1, such as (128, 64); () makes a linear model."
        )
    return tuple(int(size) for size in layers)
