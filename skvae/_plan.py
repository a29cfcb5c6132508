"""What a fit is going to do: parameters and rows checked, and training prepared, as a value."""

import os
from collections.abc import Callable
from copy import copy
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skvae import objectives, posteriors, priors, schedules
from skvae._component import resolve
from skvae.likelihoods._auto import chooser
from skvae.table import (
    Cells,
    Codec,
    Encoded,
    Frame,
    Rows,
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
MOST_CELLS = 1100  # that see each other
INPUTS = "n_features_in_", "feature_names_in_"


class Data(NamedTuple):
    """The encoded rows of a fit, and what turns nats of their cells into nats in the units of X."""

    training: Cells
    validation: Cells | None
    offset: np.ndarray  # (rows,) of training
    held_out: np.ndarray | None  # the same of validation
    held_rows: np.ndarray | None = None  # places of these rows in the table

    @property
    def rows(self) -> tuple[Cells, Cells | None]:
        """Those of training and of validation."""
        return self.training, self.validation

    def without_sums(self, n: int) -> "Data":
        """The same of the cells of n columns alone."""
        if self.training.shape[1] == n:
            return self
        rows = [None if cells is None else cells.span(0, n) for cells in self.rows]
        return Data(*rows, self.offset, self.held_out, self.held_rows)

    def any_holes(self) -> bool:
        """Whether there is a hole."""
        return any(cells.any_holes() for cells in self.rows if cells is not None)

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
    second: Callable | None = None  # from the model of the first stage to the second: task, start
    steps: int = 0  # done before
    draws: int = 16_000  # of z, and most training rows, behind lower_bound_

    @property
    def shift(self) -> np.ndarray:
        """What turns curves into nats in the units of X, (5,)."""
        return self.data.shift(self.task.hide)


def planned(
    vae: Any, X: Any, rng: np.random.Generator | None = None, X_val: Any | None = None
) -> Plan:
    """Check everything, in the order that gives the clearest message; then prepare training."""
    before = vae._model if vae.warm_start and hasattr(vae, "_model") else None
    rng = generator(vae.random_state) if rng is None else rng
    choose, parts = chooser(vae.likelihood), parts_of(vae)
    _hidden_layers(vae.hidden_layer_sizes), _schedule(vae, 0, 1)  # wrong ones are told at once
    codec, encode, inputs = table_of(vae, X, choose, continues=before is not None)
    judges = None if X_val is None else _judging(vae, X_val, codec, inputs)
    optimizer, second = optimizer_of(vae), _second_of(vae, codec)
    data = _divided(vae, encode(), judges, rng)
    own = data.without_sums(len(codec.names))
    if before is None:
        network = network_of(vae, parts, codec, own.any_holes() or vae.hide > 0, None)
        model, history = started_model(vae, network, codec, own.training, rng), {}
    else:
        model, history = continued_model(vae, parts, choose, before), vae.history_
    task = task_of(vae, model, optimizer, own)
    start = _start(vae, task, len(history.get("loss", ())), rng)
    prior = resolve(vae.prior, priors.Prior, priors)
    steps = vae._n_steps if history else 0
    return Plan(codec, task, start, prior, data, history, vae.warm_start, inputs, second, steps)


def _second_of(vae: Any, codec: Codec) -> Callable | None:
    """The function from the first stage to the second, in which cells learn to see each other."""
    if not vae.autoregressive:
        return None
    if len(codec.names) > MOST_CELLS:
        raise ValueError(
            f"autoregressive=True with {len(codec.names)} columns, but at most {MOST_CELLS} are "
            "expected, since each column sees all before it; set autoregressive=False, or drop "
            "columns."
        )
    from skvae.training import second

    return partial(second, codec=codec, settings=(int(vae.max_iter), vae.min_count))


def parts_of(vae: Any) -> dict:
    """The parameters that make the architecture, validated."""
    return {
        "latent_dim": int(vae.latent_dim),
        "prior": resolve(vae.prior, priors.Prior, priors).in_training,
        "posterior": resolve(vae.posterior, posteriors.Posterior, posteriors),
        "objective": resolve(vae.objective, objectives.Objective, objectives),
    }


def table_of(vae: Any, X: Any, choose: Callable, continues: bool) -> tuple[Codec, Callable, dict]:
    """What is learned of the table, how it is encoded, and what the estimator is told of it."""
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
    if continues:
        codec = vae._codec
        if vae.autoregressive and vae._model.network.chain is None:
            codec = codec.with_sums(rows, vae.min_count)
        return codec, partial(codec.encode, rows, continues=True), inputs
    frame = Frame.of(X, rows.names)
    codec = Codec.learn(rows, frame, choose, vae.min_count, sums=vae.autoregressive)
    warn_of_doubts(rows, codec.features, known=named)
    return codec, partial(codec.encode, rows, supported=True), inputs


def later_rows(vae: Any, X: Any, codec: Codec, inputs: dict) -> Rows:
    """Rows of a table like the one that was learned of."""
    reader = copy(vae)
    vars(reader).update(inputs)
    return checked(reader, X, reset=False, like=codec.frame)


def _judging(vae: Any, X_val: Any, codec: Codec, inputs: dict) -> Encoded:
    """Rows of the user's own that judge training."""
    try:
        return codec.encode(later_rows(vae, X_val, codec, inputs), warns=True)
    except (TypeError, ValueError) as error:
        error.add_note("This was X_val, of which X says what columns hold.")
        raise


def optimizer_of(vae: Any) -> Callable:
    """The optimiser, and an engine that is ready for it."""
    try:
        import keras

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


def _divided(vae: Any, encoded: Encoded, judges: Encoded | None, rng: np.random.Generator) -> Data:
    """Training rows, which take the memory of all, and rows that are held out, if any."""
    x, offset, _, _ = encoded
    if judges is not None:
        return Data(x, judges.x, offset, judges.offset)
    n, (fewest, most) = len(x), VALIDATION_ROWS
    n_held_out = min(most, int(np.ceil(vae.validation_fraction * n)))
    if n_held_out < fewest or not vae.early_stopping:
        return Data(x, None, offset, None)
    if n_held_out >= n:
        raise ValueError(
            f"validation_fraction={vae.validation_fraction} of {n} rows leaves none to train on; "
            "lower it, or set early_stopping=False."
        )
    held_out = rng.permutation(np.arange(n, dtype=np.int32))[:n_held_out]
    return Data(*x.parted(held_out), *parted(offset, held_out), held_out)


def network_of(vae: Any, parts: dict, codec: Codec, holes: bool, before: Any) -> "Network":
    """The architecture that the parameters ask for; `before` is that of a fit that goes on."""
    from skvae.model import Joint, Network, dense, of_user

    hidden = _hidden_layers(vae.hidden_layer_sizes)
    layers = {
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
    return Network.of(stacks=tuple(layers.values()), likelihood=joint, holes=holes, **parts)


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
    vae: Any, model: "Model", optimizer: Callable, data: Data, auto: tuple[int, int] = AUTO_BATCH
) -> "Task":
    """What is trained, on which rows, by which program."""
    from skvae.engine import Recipe, xla_pays
    from skvae.model import Network
    from skvae.training import Task

    n_rows, (smallest, largest) = len(data.training), auto
    auto = min(max(smallest, 2 ** (n_rows // 16).bit_length() // 2), largest)
    batch_size = min(n_rows, auto if vae.batch_size == "auto" else vae.batch_size)
    _check_draws(vae.n_draws, batch_size, model.network.numbers_per_draw)
    n_steps = vae.max_iter * -(-n_rows // batch_size)
    recipe = Recipe(
        loss=Network.losses,
        optimizer=optimizer,
        n_draws=vae.n_draws,
        drops=vae.dropout > 0,
        hides=vae.hide > 0,
        sparse=data.training.sparse,
        xla=xla_pays(model.network, model.layout.weights.size, n_steps),
    )
    return Task(model, recipe, data.training, data.validation, batch_size, vae.dropout, vae.hide)


def _check_draws(n_draws: int, batch_size: int, numbers: int) -> None:
    if n_draws > 1 and n_draws * batch_size * numbers > MOST_IN_A_STEP:
        raise ValueError(
            f"n_draws={n_draws} takes {n_draws} x {batch_size} x {numbers} numbers in each step, "
            f"but at most {MOST_IN_A_STEP} are expected; lower n_draws or batch_size."
        )


def _start(vae: Any, task: "Task", epochs_before: int, rng: np.random.Generator) -> "TrainState":
    """The state in which training begins."""
    from skvae.training import Pace, Watch, begun

    schedule = _schedule(vae, epochs_before, task.n_steps)
    pace = Pace.of(vae.learning_rate, schedule, int(vae.max_iter), len(task.ends))
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


def generator(random_state: Any) -> np.random.Generator:
    """Random numbers from the argument alone: the global generators are neither read nor moved."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31, size=4)
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"random_state={random_state!r}, but a whole number of at least 0, a RandomState, a "
            "Generator or None is expected."
        ) from error


def _hidden_layers(sizes: Any) -> tuple[int, ...]:
    layers = tuple(np.atleast_1d(np.asarray(sizes, dtype=object)).tolist())
    if not all(isinstance(size, Integral) and size >= 1 for size in layers):
        raise ValueError(
            f"hidden_layer_sizes={sizes!r}, but each layer needs a whole number of units of at "
            "least 1, such as (128, 64); () makes a linear model."
        )
    return tuple(int(size) for size in layers)
