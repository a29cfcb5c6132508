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
        shift = self.plan.shift
        curve = dict(zip(HISTORY, state.by_epoch()[-1] + shift, strict=True))
        told = {"loss": curve["loss"]}
        if self.plan.data.validation is not None:
            told["held out"] = curve["validation_loss"]
        if state.watch.best is not None:
            told["best"] = state.watch.lowest[1] + shift[-1]
        told["learning rate"] = state.pace.rate(state.part - 1)
        if state.before is None:
            told["beta"] = curve["beta"]
        values = ", ".join(f"{name} {value:.4g}" for name, value in told.items())
        return f"{_place(state)}: {values}, {self._seconds(state)}"

    def _seconds(self, state: "TrainState") -> str:
        done, left = state.part - self.first, state.pace.end - state.part
        seconds = monotonic() - self.began
        return f"{seconds:.3g} s, at most {seconds / done * left:.3g} s left"

    def end(self, state: "TrainState", interrupted: bool, stopped: bool) -> None:
        """Say why training stopped."""
        pace, held_out = state.pace, "held-out " * (self.plan.data.validation is not None)
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

    def __init__(self, vae: Any, X: Any, y: Any, plan: Plan, learned: Callable):
        self.vae, self.plan, self.learned, self.stopped = vae, plan, learned, False
        rows = partial(_rows, X, plan.data.held_rows)
        own = rows if y is None else partial(_rows, y, plan.data.held_rows)
        self.shown = {"estimator": vae, "X": rows, "y": own}
        most = int(vae.max_iter)
        if vae.autoregressive:
            from skvae.training import EPOCHS_OF_CELLS

            most += min(most, EPOCHS_OF_CELLS[1])
        self.all = vae._init_callback_context(max_subtasks=most)
        self.all.call_on_fit_task_begin(**self.shown)

    def of(self, steps: "Steps") -> "Steps":
        """The same steps, until a callback says that it is enough."""
        epoch = self._begun("epoch")
        for task, state in steps:
            yield task, state
            if not ends_epoch(state):
                continue
            attributes = partial(self._attributes, state, task)
            if epoch.call_on_fit_task_end(**self.shown, reconstruction_attributes=attributes):
                self.stopped = True
                return
            if not state.ended:
                epoch = self._begun("epoch" if state.before is None else "epoch of cells")
            elif self.plan.second is not None and state.before is None:
                epoch = self._begun("epoch of cells")

    def end(self) -> None:
        """Say that the estimator is fitted."""
        self.all.call_on_fit_task_end(**self.shown, reconstruction_attributes={})

    def _begun(self, name: str) -> Any:
        return self.all.subcontext(name).call_on_fit_task_begin(**self.shown)

    def _attributes(self, state: "TrainState", task: "Task") -> dict:
        """What would be learned if training ended here."""
        return self.learned(self.plan, state, task) | self.plan.inputs


def _rows(table: Any, places: np.ndarray | None) -> Any:
    return table if places is None else safe_indexing(table, places)
