"""One fit: a plan, its training in stages, and learned attributes, as values."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skvae._blocks import Blocks
from skvae._memory import aligned
from skvae._pieces import piece, random_of
from skvae._plan import HISTORY, INPUTS, Plan, planned
from skvae._sklearn import callbacks_of, warn
from skvae._streamed import of_blocks
from skvae._watching import Lines, Tasks
from skvae.table import Codec

if TYPE_CHECKING:
    from skvae.model import Model
    from skvae.training import Task, TrainState

COLLAPSED = 0.05, 300  # nats in all, and steps after which less means that z is not used
DRAWS, SHARE = (2_000, 16_000), 4  # of z and rows behind lower_bound_, one for so many trained on


def fit(
    vae: Any, X: Any, y: Any = None, X_val: Any = None, weights: tuple[Any, Any] = (None, None)
) -> None:
    """Fit a model; the estimator changes at the very end, in one assignment."""
    rng, callbacks = random_of(vae), callbacks_of(vae)
    keepers = [one.of_fit(vae, rng) for one in callbacks if hasattr(one, "of_fit")]
    plan = (of_blocks if isinstance(X, Blocks) else planned)(vae, X, rng, X_val, weights)
    for keeper in keepers:
        plan = keeper.resumed(plan)
    lines = [Lines(int(vae.verbose), plan)] if vae.verbose else []
    told = [Tasks(vae, plan.shown(X, y, X_val), plan, learned)] if callbacks else []
    try:
        task, state, interrupt = _trained(plan, [*keepers, *lines, *told])
    finally:
        stopped = any(tasks.stopped for tasks in told)
        for keeper in keepers:  # files have the last state
            keeper.end(stopped)
    for printed in lines:
        printed.end(state, interrupted=interrupt is not None, stopped=stopped)
    attributes, interrupt = _last(plan, state, task, interrupt)
    if interrupt is None and not stopped:
        _warn(attributes, plan, state.before or state)
    kept = {name: value for name, value in vars(vae).items() if name not in INPUTS}
    vae.__dict__ = kept | plan.inputs | attributes
    if interrupt is not None:
        interrupt.add_note(
            f"The model is that of epoch {vae.best_iter_}, the best that this fit came to."
        )
        raise interrupt
    for tasks in told:
        tasks.end()


def _warn(attributes: dict, plan: Plan, first: "TrainState") -> None:
    """Say what a user may want to change, if training ended by itself."""
    n_steps = attributes["n_iter_"] * plan.task.n_steps
    _warn_of_collapse(attributes["latent_kl_"].sum(), n_steps)
    _warn_of_more(first, first.watch.tol)


def partial_fit(vae: Any, X: Any, weight: Any = None, schema: Any = None) -> None:
    """One pass over some rows; the estimator changes at the very end, in one assignment."""
    from skvae.training import states

    plan = piece(vae, X, weight, schema)
    *_, last = states(plan.task, plan.start)
    attributes = learned(plan, last, plan.task)
    vae.__dict__ = vars(vae) | plan.inputs | attributes


def stages(plan: Plan, state: "TrainState") -> Iterator[tuple["Task", "TrainState"]]:
    """The states that follow, each with the task of its stage, until training ends."""
    from skvae.training import states

    if state.before is None:
        last = state
        for last in states(plan.task, state):
            yield plan.task, last
        if plan.second is None:
            return
        task, state = _second(plan, last)
        yield task, state
    else:
        task, _ = _second(plan, state.before)
    yield from ((task, following) for following in states(task, state))


def _second(plan: Plan, first: "TrainState") -> tuple["Task", "TrainState"]:
    """The second stage after the last state of the first."""
    from skvae.training import generator_of

    model, rng = _best(plan.task, first), generator_of(first.generator)
    task, start = plan.second(model, plan.data.rows, rng=rng)
    return task, start._replace(before=first)


def _best(task: "Task", state: "TrainState") -> "Model":
    """The best model of a stage up to a state."""
    model = task.kept(state.watch.best or state.state)
    return model._replace(weights=_on_host(model.weights))


def _trained(plan: Plan, watchers: list) -> tuple:
    """The last task and state of training, and the interrupt that ended it."""
    steps, state, why = stages(plan, plan.start), plan.start, None
    task = plan.task if state.before is None else None  # else made anew where it is wanted
    for watcher in watchers:
        steps = watcher.of(steps)
    try:
        for task, state in steps:  # noqa: B007, the last of them count
            pass
    except KeyboardInterrupt as interrupt:
        state, why = _cut_off(task, state, interrupt), interrupt
    return task, state, why


def _cut_off(task: Any, state: "TrainState", interrupt: KeyboardInterrupt) -> "TrainState":
    """The state that an interrupt leaves, if there is something in it."""
    from skvae.training import judged

    if not (state.part or state.before):
        raise interrupt
    alone = task and task.recipe.workers == 1  # others do not wait for what this one judges
    try:
        return judged(task, state) if state.summed and alone else state
    except ValueError:  # the part that is done has gone astray
        if not (state.watch.best or state.before):
            raise interrupt from None
        return state


def _last(plan: Plan, state: "TrainState", task: Any, interrupt: Any) -> tuple[dict, Any]:
    """What is learned in the end, and the interrupt that comes now or came before."""
    try:
        return learned(plan, state, task), interrupt
    except KeyboardInterrupt as late:  # training is not lost by it
        if interrupt is not None:
            raise
        return learned(plan, state, task), late


def learned(plan: Plan, state: "TrainState", task: "Task | None" = None) -> dict:
    """What a state of training means: the attributes of a fitted model. It changes nothing.

    `task` is that of its stage; None makes it anew.
    """
    from skvae.engine import name_of_optimizer
    from skvae.training import generator_of

    rng, first = generator_of(state.generator), state.before or state
    model = _model(plan, state, task, rng)
    bound, kl = _summary(model, plan, rng, first.steps * plan.task.batch_size)
    slots = tuple(map(np.asarray, (first.watch.best or first.state).slots))
    history = _continued(plan.history, first.by_epoch() + plan.shift)
    epochs = len(history["loss"])
    best_part = first.part - 1 if first.watch.best_part is None else first.watch.best_part
    return {
        "_codec": plan.codec if model.network.chain else plan.codec.without_sums(),
        "_model": model,
        "_slots": (name_of_optimizer(plan.task.recipe.optimizer), slots) if plan.keeps else None,
        "history_": history,
        "n_iter_": epochs,
        "_n_steps": plan.steps + first.steps,
        "best_iter_": epochs - first.epochs + best_part // first.pace.parts + 1,
        "likelihood_": _likelihoods(plan.codec),
        "prior_": clone(model.network.prior),
        "posterior_": clone(model.network.posterior),
        "lower_bound_": bound,
        "latent_kl_": kl,
    }


def _likelihoods(codec: Codec) -> dict:
    """The likelihood of each column, one object for those that are equal."""
    kinds = list(map(clone, codec.kinds))
    return dict(zip(codec.names, [kinds[k] for k in codec.kind_of], strict=True))


def _model(
    plan: Plan, state: "TrainState", task: "Task | None", rng: np.random.Generator
) -> "Model":
    """The best model of training up to a state, with the prior that it is asked for."""
    from skvae.inference import calibrated, finished, refitted

    model = _best(plan.task, state.before or state)
    if state.before is None:
        return finished(model, plan.prior, plan.own.telling, rng)
    task = task or _second(plan, state.before)[0]
    model, telling = model.with_chain(_best(task, state)), plan.data.telling
    model = finished(calibrated(model, telling, rng), plan.prior, telling, rng)
    if plan.keeps:  # a later fit goes on with the prior of this one
        return model
    return refitted(model, telling, plan.data.validation, rng)


def _on_host(tensor: Any) -> np.ndarray:
    """Weights on memory that tensors may share."""
    weights = aligned(tensor.shape)
    weights[:] = tensor
    return weights


def _continued(history: dict, curves: np.ndarray) -> dict:
    """The curves of an earlier fit with those of this one."""
    return {
        name: np.append(history.get(name, ()), curve)
        for name, curve in zip(HISTORY, curves.T, strict=True)
    }


def _summary(
    model: "Model", plan: Plan, rng: np.random.Generator, trained: int
) -> tuple[float, np.ndarray]:
    """ELBO of training rows, of some where they are many, and nats of each latent dimension."""
    from skvae.inference import lower_bound

    data = plan.data if model.network.chain else plan.own
    rows, offset = data.telling, data.offset
    draws = min(max(DRAWS[0], trained // SHARE), DRAWS[1])
    if len(rows) > draws:
        some = rng.choice(len(rows), draws, replace=False)
        rows, offset = rows.take(some), offset[some]
    bound, kl = lower_bound(model, rows, draws // len(rows))
    return bound + offset.mean(), kl


def _warn_of_collapse(latent_kl: float, n_steps: int) -> None:
    """Say that latent points tell nothing."""
    nats, enough = COLLAPSED
    if latent_kl < nats and n_steps >= enough:
        warn(
            f"The latent points carry {latent_kl:.2g} nats in all (latent_kl_): the model "
            "does not use them. Where columns do depend on each other, lower beta, use "
            "objective='free_bits' or beta=LinearWarmup(...) with more epochs, or let training "
            "start from init='pca'.",
            ConvergenceWarning,
        )


def _warn_of_more(state: "TrainState", tol: float) -> None:
    """Say that training was still gaining at the full learning rate when it had to end."""
    watch, pace = state.watch, state.pace
    looked_at = watch.first < pace.fall - 1 < state.part
    if watch.patience is None or pace.stalled or not looked_at:
        return
    before = max(watch.first, pace.fall - 1 - watch.patience)
    gain = state.curves[before, 4] - state.curves[pace.fall - 1, 4]
    if np.isfinite(gain) and gain > tol:
        epochs = (pace.fall - 1 - before) / pace.parts
        warn(
            f"Training was still gaining, {gain:.2g} nats per row in {epochs:.3g} epochs, when its "
            f"learning rate had to fall so as to end at max_iter={pace.max_iter}; raise max_iter.",
            ConvergenceWarning,
        )
