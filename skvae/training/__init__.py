"""From an untrained model to a trained one, state by state."""

from skvae.training._chain import EPOCHS as EPOCHS_OF_CELLS
from skvae.training._chain import second
from skvae.training._loop import Task, TrainState, begun, generator_of, judged, states
from skvae.training._pace import Pace, Watch
from skvae.training._start import ROWS as START_ROWS
from skvae.training._start import embedded, untrained

__all__ = [
    "EPOCHS_OF_CELLS",
    "START_ROWS",
    "Pace",
    "Task",
    "TrainState",
    "Watch",
    "begun",
    "embedded",
    "generator_of",
    "judged",
    "second",
    "states",
    "untrained",
]
