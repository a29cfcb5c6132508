"""Who looks at the states of a fit: printed lines, and scikit-learn's callbacks."""

from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from skvae._plan import HISTORY, Plan
from skvae._sklearn import safe_indexing

if TYPE_CHECKING:
    from skvae.training import Task, TrainState

    Steps = Iterator[tuple[Task, TrainState]]


def ends_epoch(state: "TrainState") -> bool:
    """Whether an epoch has ended with a state, the last one perhaps within."""
    return bool(state.part) and (state.ends_epoch or state.ended)


class Lines:
    """What `verbose` prints: a line for every so many epochs, and why training stopped."""

    def __init__(self, every: int, plan: Plan):
        self.every, self.plan = every, plan
        self.began, self.first = monotonic(), plan.start.part

    def of(self, steps: "Steps") -> "Steps":
        """The same steps."""
        for task, state in steps:
            if not state.part:  # a stage begins
                self.began, self.first = monotonic(), 0
            elif ends_epoch(state) and not state.epochs % self.every:
                print(self._line(state))
            yield task, state

    def _line(self, state: "TrainState") -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self._told(state).items())
        return f"{_place(state)}: {values}, {self._seconds(state)}"

    def _told(self, state: "TrainState") -> dict:
        shift, pace = self.plan.shift, state.pace
        curve = dict(zip(HISTORY, state.by_epoch()[-1] + shift, strict=True))
        told = {"loss": curve["loss"]}
        if self._judged:
            told["held out"] = curve["validation_loss"]
        if state.watch.best is not None:
            told["best"] = state.watch.lowest[1] + shift[-1]
        told["learning rate"] = pace.rate(state.part - 1)
        return told if state.before else told | {"beta": curve["beta"]}

    @property
    def _judged(self) -> bool:
        return self.plan.data.validation is not None

    def _seconds(self, state: "TrainState") -> str:
        done, left = state.part - self.first, state.pace.end - state.part
        seconds = monotonic() - self.began
        return f"{seconds:.3g} s, at most {seconds / done * left:.3g} s left"

    def end(self, state: "TrainState", interrupted: bool, stopped: bool) -> None:
        """Say why training stopped."""
        pace, held_out = state.pace, "held-out " * self._judged
        reasons = {
            "it was interrupted": interrupted,
            "a callback stopped it": stopped,
            "max_iter epochs are done": pace.end == pace.max_iter * pace.parts,
            f"the {held_out}loss had stalled": True,
        }
        why = next(reason for reason in reasons if reasons[reason])
        print(f"Training stopped at {_place(state)}: {why}.")


def _place(state: "TrainState") -> str:
    stage = "epoch" if state.before is None else "cells, epoch"
    return f"{stage} {state.epochs} of {state.pace.max_iter}"


class Tasks:
    """Epochs as tasks of scikit-learn's callbacks, which may stop training at the end of one.

    They are given the rows that are held out, which judge training, or all where there are none; as
    their y too, if there is none, since callbacks that score want one.
    """

    def __init__(self, vae: Any, shown: tuple, plan: Plan, learned: Callable):
        self.plan, self.learned, self.stopped = plan, learned, False
        X, y = shown
        rows = partial(_rows, X, plan.data.held_rows)
        own = rows if y is None else partial(_rows, y, plan.data.held_rows)
        self.shown = {"estimator": vae, "X": rows, "y": own}
        self.all = vae._init_callback_context(max_subtasks=_most_epochs(vae))
        self.all.call_on_fit_task_begin(**self.shown)
        for _ in range(_done(plan.start)):  # by a fit that this one goes on from
            self.all.subcontext("epoch")

    def of(self, steps: "Steps") -> "Steps":
        """The same steps, until a callback says that it is enough."""
        epoch = self._begun(self.plan.start)
        for task, state in steps:
            yield task, state
            if not ends_epoch(state):
                continue
            attributes = partial(self._attributes, state, task)
            if epoch.call_on_fit_task_end(**self.shown, reconstruction_attributes=attributes):
                self.stopped = True
                return
            epoch = self._begun(state)

    def end(self) -> None:
        """Say that the estimator is fitted."""
        self.all.call_on_fit_task_end(**self.shown, reconstruction_attributes={})

    def _begun(self, last: "TrainState") -> Any:
        """The task of the epoch after a state, if there is one."""
        second = last.ended or last.before is not None
        if last.ended and (last.before is not None or self.plan.second is None):
            return None
        epoch = self.all.subcontext("epoch of cells" if second else "epoch")
        return epoch.call_on_fit_task_begin(**self.shown)

    def _attributes(self, state: "TrainState", task: "Task") -> dict:
        """What would be learned if training ended here."""
        return self.learned(self.plan, state, task) | self.plan.inputs


def _done(state: "TrainState | None") -> int:
    """Epochs of all stages that have ended."""
    return state.part // state.pace.parts + _done(state.before) if state else 0


def _most_epochs(vae: Any) -> int:
    """Of all stages."""
    from skvae.training import EPOCHS_OF_CELLS

    max_iter = int(vae.max_iter)
    return max_iter + min(max_iter, EPOCHS_OF_CELLS[1]) * bool(vae.autoregressive)


def _rows(table: Any, places: np.ndarray | None) -> Any:
    return table if places is None else safe_indexing(table, places)
