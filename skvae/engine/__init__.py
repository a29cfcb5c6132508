"""Programs: the only room that knows TensorFlow."""

from skvae.engine._gradient import State, gradient_of, repeated
from skvae.engine._graph import graph_of
from skvae.engine._optimizer import adam, adam_step, averaged_adam
from skvae.engine._optimizer import name_of as name_of_optimizer
from skvae.engine._optimizer import resolve as optimizer_of
from skvae.engine._process import devices, enter, limit_threads, threads
from skvae.engine._program import (
    DRAWS,
    LATENT,
    NUMBER,
    ROWS,
    SEED,
    Shape,
    compiled,
    run,
    takes,
    traced,
)
from skvae.engine._random import normal
from skvae.engine._rows import rows_of
from skvae.engine._training import Program, Rates, Recipe, chunk_length, trainer, xla_pays
from skvae.engine._workers import Workers, agreed, check_alike, mean_of, workers

__all__ = [
    "DRAWS",
    "LATENT",
    "NUMBER",
    "ROWS",
    "SEED",
    "Program",
    "Rates",
    "Recipe",
    "Shape",
    "State",
    "Workers",
    "adam",
    "adam_step",
    "agreed",
    "averaged_adam",
    "check_alike",
    "chunk_length",
    "compiled",
    "devices",
    "enter",
    "gradient_of",
    "graph_of",
    "limit_threads",
    "mean_of",
    "name_of_optimizer",
    "normal",
    "optimizer_of",
    "repeated",
    "rows_of",
    "run",
    "takes",
    "threads",
    "traced",
    "trainer",
    "workers",
    "xla_pays",
]
