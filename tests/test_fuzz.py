"""Random tables, settings and calls: each gives a sound result, or an error that says what to do.

`pytest -m slow tests/test_fuzz.py` makes 5,000 calls; `python tests/test_fuzz.py 20000 7` makes
20,000 from the seed 7 and prints what came of them, with the smallest case of each violation, which
`replay` runs again.

Cases are plain data, which `fuzz_tables` turns into tables. This tests the table's side, so the
model behind it is hardly trained.
"""

import contextlib
import os
import pickle
import random
import re
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from math import copysign, inf, nan
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf
from fuzz_tables import (
    FRAMES,
    JUNK,
    KINDS,
    NAMES,
    ODD,
    ODD_NAMES,
    REFUSED,
    Col,
    Given,
    Junk,
    Points,
    Table,
    build,
    can_be_built,
    cells_of,
    normal,
    pandas_cells,
    plain,
    scalar,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

import skvae
from skvae import VAEImputer, VAEOutlierDetector, VAETransformer, _fitting, training
from skvae.engine import _gradient, _program
from skvae.inference import _blocks, _condition, _encode, _noise, _prior, _proposals
from skvae.table._dtypes import short

CALLS, PER_FIT = 5000, 15  # calls in all, and on each fitted model
ON_AVERAGE = 11  # calls on each table: some cannot be fitted
TRAINED = 25  # one model in so many is trained
TRIES = 150  # smaller cases to try for each violation
LONGEST = 600  # characters of a message
PACKAGE = str(Path(skvae.__file__).parent)
INTERNALS = (
    "narwhals",
    "pyarrow.lib",
    "arrowinvalid",
    "panicexception",
    "ufunc",
    "tensorflow",
    "traceback",
    " at 0x",
)


# Draws -----------------------------------------------------------------------------------

LEGAL = {
    "float": [
        "gaussian",
        "laplace",
        "student_t",
        "histogram",
        "categorical",
        "lognormal",
        "beta",
        "zero_inflated",
    ],
    "whole": [
        "poisson",
        "negative_binomial",
        "gaussian",
        "categorical",
        "histogram",
        "ordinal",
        "zero_inflated",
    ],
    "flag": [
        "bernoulli",
        "categorical",
        "gaussian",
        "histogram",
        "ordinal",
        "continuous_bernoulli",
    ],
    "moment": ["gaussian", "histogram", "categorical", "ordinal", "student_t"],
    "span": ["gaussian", "histogram", "categorical", "lognormal"],
    "decimal": ["gaussian", "histogram", "categorical", "laplace"],
}
ANY = ["auto", "gaussian", "bernoulli", "beta", "ordinal", "poisson", "nonsense", None, 3]
METHODS = {
    "transform": 3, "score_samples": 3, "impute": 6, "posterior_predictive": 3, "sample_latent": 1,
    "inverse_transform": 3, "sample": 2, "sample_given": 6, "refit": 3, "pickle": 1, "imputer": 1,
    "outliers": 1, "to_frame": 1,
}  # fmt: skip


def drawn_table(dice: random.Random, n: int | None = None) -> Table:
    library = dice.choices(list(KINDS), [8, 4, 3, 2, 1, 1, 1])[0]
    width = dice.randint(1, 4)
    kinds = [some_kind(dice, library) for _ in range(width)]
    kinds = kinds if library in FRAMES else kinds[:1] * width
    names = dice.sample(NAMES, width) if dice.random() < 0.5 else list("abcd"[:width])
    if library == "pandas" and dice.random() < 0.2:
        names = dice.sample([*ODD_NAMES, *NAMES], width)
    indices = {
        "pandas": ["range", "range", "text", "same", "time", "two"],
        "polars": ["range", "chunks"],
    }
    index = dice.choice(indices.get("polars" if library == "pyarrow" else library, ["range"]))
    rng = random.Random(dice.randrange(2**32))
    n = n or rng.randint(10, 40)
    columns = [Col(kind, cells_of(rng, KINDS[library][kind], n)) for kind in kinds]
    return Table(library, names, columns, index)


def until(draw: Callable, fits: Callable = can_be_built) -> Any:
    """The first draw that can be built; of columns of text in the end."""
    return next(
        (X for X in (draw() for _ in range(20)) if fits(X)),
        Table("pandas", ["a"], [Col("str", ["x", "y"] * 6)]),
    )


def drawn_settings(dice: random.Random, train: Table) -> dict:
    chosen = {"latent_dim": dice.choice([1, 2, 3]), "min_count": dice.choice([1, 1, 1, 2, 5, 100])}
    how = dice.choices(["auto", "legal", "any", "wrong"], [60, 40, 7, 3])[0]
    if how == "auto":
        return chosen
    if how == "wrong":
        return chosen | {
            "likelihood": dice.choice(
                ["nonsense", 3, None, {"no such column": "gaussian"}, "ordinal"]
            )
        }
    names = train.names if train.library in FRAMES else range(len(train.names))
    likelihood = {}
    for name, column in zip(names, train.columns, strict=True):
        legal = LEGAL.get(KINDS[train.library][column.kind].base, ["categorical", "ordinal"])
        if dice.random() < 0.7:
            likelihood[name] = dice.choice(legal if how == "legal" else ANY)
    return chosen | {"likelihood": likelihood}


def drawn_other(dice: random.Random, train: Table) -> Any:
    """A table like that of fit, or one that differs, or none at all."""
    how = dice.choices(
        [
            "same",
            "kind",
            "library",
            "order",
            "fewer",
            "more",
            "renamed",
            "one",
            "fresh",
            "junk",
            "itself",
        ],
        [8, 6, 4, 1, 1, 1, 1, 2, 1, 3, 2],
    )[0]
    if how == "junk":
        return Junk(dice.choice(list(JUNK)))
    if how == "fresh":
        return until(lambda: drawn_table(dice))
    if how == "itself":
        return train
    return until(lambda: varied(dice, train, how))


def varied(dice: random.Random, train: Table, how: str) -> Table:
    library, names, kinds = (
        train.library,
        list(train.names),
        [column.kind for column in train.columns],
    )
    if how == "library":
        library = dice.choice([other for other in KINDS if other != library])
        kinds = [same_base(dice, KINDS[train.library][kind].base, library) for kind in kinds]
        kinds = kinds if library in FRAMES else kinds[:1] * len(kinds)
        names = names if library == "pandas" else list(map(str, names))
    if how == "kind":
        kinds[dice.randrange(len(kinds))] = some_kind(dice, library)
        kinds = kinds if library in FRAMES else kinds[:1] * len(kinds)
    rng = random.Random(dice.randrange(2**32))
    n = 1 if how == "one" else rng.randint(2, 20)
    columns = []
    for kind, column in zip(kinds, train.columns, strict=True):
        before = (
            column.cells
            if KINDS[library][kind].base == KINDS[train.library][column.kind].base
            else ()
        )
        columns.append(Col(kind, cells_of(rng, KINDS[library][kind], n, tuple(before))))
    if how == "order":
        names, columns = names[::-1], columns[::-1]
    if how == "fewer":
        names, columns = names[1:], columns[1:]
    if how == "more":
        names, columns = [*names, "more"], [*columns, columns[0]]
    if how == "renamed":
        names = [*names[1:], "other"]
    return Table(library, names, columns, train.index if library == train.library else "range")


def some_kind(dice: random.Random, library: str) -> str:
    """Mostly one that fit takes."""
    kinds = KINDS[library]
    taken = [
        name for name in kinds if kinds[name].base != "odd" and not name.lower().startswith(REFUSED)
    ]
    return dice.choice(taken if dice.random() < 0.96 else list(kinds))


def same_base(dice: random.Random, base: str, library: str) -> str:
    fitting = [name for name, kind in KINDS[library].items() if kind.base == base]
    return dice.choice(fitting or list(KINDS[library]))


def drawn_given(dice: random.Random, train: Table) -> Any:
    if dice.random() < 0.6:
        return until(lambda: drawn_dict(dice, train))
    X = drawn_other(dice, train)
    if not isinstance(X, Table):
        return X
    first = 1 if X.library in FRAMES and len(X.names) > 1 and dice.random() < 0.5 else 0
    return X._replace(
        names=X.names[first:], columns=[Col(c.kind, c.cells[:3]) for c in X.columns[first:]]
    )


def drawn_dict(dice: random.Random, train: Table) -> Given:
    named = train.names if train.library in FRAMES else range(len(train.names))
    chosen = dice.sample(range(len(train.names)), dice.randint(0, len(train.names)))
    names, cells = (
        [named[j] for j in chosen],
        [drawn_cell(dice, train.library, train.columns[j]) for j in chosen],
    )
    if dice.random() < 0.05:
        return Given(
            [*names, dice.choice(["no such", None, 99, ("a", "b")])],
            [*cells, ("pandas", "odd", "int8")],
        )
    return Given(names, cells)


def drawn_cell(dice: random.Random, library: str, column: Col) -> tuple:
    """A condition on a column: the library, kind and value of a cell."""
    how = dice.choices(["seen", "base", "any", "odd"], [5, 3, 2, 2])[0]
    rng, kind = random.Random(dice.randrange(2**32)), column.kind
    if how == "odd":
        return library, "odd", rng.choice(list(ODD))
    if how == "seen":
        return library, kind, rng.choice(column.cells)
    if how == "any":
        library = rng.choice(FRAMES)
        kind = rng.choice(list(KINDS[library]))
    return library, kind, cells_of(rng, KINDS[library][kind], 1)[0]


def drawn_points(dice: random.Random, width: int) -> Points:
    values = dice.choice(
        [[0.0, 1.0, -2.0, 0.3], [0.0, 5.0, -8.0]] * 3
        + [
            [0.0, 1.0, -2.0],
            [0.0, 30.0, -1e3],
            [1e30, -1e300, 0.0],
            [1.7e308, 5e-324, 0.0],
            [0.0, nan],
            [3.4e38, -3.4e38],
        ]
    )
    width += dice.choices([0, 1, -1], [18, 1, 1])[0]
    rows = [[dice.choice(values) for _ in range(width)] for _ in range(dice.randint(1, 5))]
    return Points(dice.choice(["array", "array", "list", "frame", "single", "polars"]), rows)


class Call(NamedTuple):
    method: str
    X: Any = None
    options: dict = {}


class Case(NamedTuple):
    """A model fitted to a table, and a call; the fit itself where the call is None."""

    train: Any
    settings: dict
    call: Call | None = None
    trained: bool = False

    @property
    def method(self) -> str:
        return self.call.method if self.call else "fit"


def drawn_call(dice: random.Random, case: Case) -> Call:
    method, train = dice.choices(list(METHODS), METHODS.values())[0], case.train
    seed = {"random_state": dice.randrange(9)}
    if method == "inverse_transform":
        return Call(method, drawn_points(dice, case.settings["latent_dim"]))
    if method == "sample":
        return Call(
            method, None, seed | {"n_samples": dice.choice([1, 5, 30, 30] * 4 + [0, -1, 1.5, "3"])}
        )
    if method == "sample_given":
        return Call(method, drawn_given(dice, train), seed | {"n_samples": dice.choice([1, 2, 3])})
    if method == "pickle":
        return Call(method)
    X = drawn_other(dice, train)
    if method == "impute":
        return Call(method, X, seed | {"draw": dice.random() < 0.5})
    return Call(method, X, seed if method in ("posterior_predictive", "sample_latent") else {})


# Calls -----------------------------------------------------------------------------------


def estimator(case: Case) -> VAETransformer:
    return VAETransformer(max_iter=1, hidden_layer_sizes=4, random_state=0, **case.settings)


def made(model: VAETransformer, case: Case, X: Any) -> Any:
    """The result of a call."""
    method, options = case.method, case.call.options
    if method == "sample":
        return model.sample(**options)
    if method == "sample_given":
        return model.sample(given=X, **options)
    if method == "pickle":
        return [
            some.sample(5, random_state=0) for some in (model, pickle.loads(pickle.dumps(model)))
        ]
    if method == "refit":
        return (
            pickle.loads(pickle.dumps(model))
            .set_params(warm_start=True)
            .fit(X)
            .sample(5, random_state=0)
        )
    if method == "imputer":
        return VAEImputer(estimator(case)).fit(X).transform(X)
    if method == "outliers":
        return VAEOutlierDetector(estimator(case)).fit(X).predict(X)
    if method == "to_frame":
        return pickle.loads(pickle.dumps(model)).set_output(transform="pandas").transform(X)
    if method in ("impute", "score_samples"):
        options = options | {"n_draws": 8}
    return getattr(model, method)(X, **options)


class Outcome(NamedTuple):
    value: Any
    error: BaseException | None
    warnings: list
    changed: bool  # whether the input has changed


def outcome(function: Callable, X: Any) -> Outcome:
    before, value, error = snapshot(X), None, None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            value = function(X)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # polars panics
            error = raised
    return Outcome(value, error, list(told), before != snapshot(X))


def snapshot(X: Any) -> Any:
    """What tells whether an input has changed."""
    if isinstance(X, pd.DataFrame):  # a pickle would tell of its caches too
        return (
            repr(schema(X)),
            list(map(repr, X.index)),
            [identity(X.iloc[:, j]) for j in range(X.shape[1])],
        )
    if isinstance(X, dict):
        return [(id(name), id(value)) for name, value in X.items()]
    if isinstance(X, Iterator):
        return None
    if isinstance(X, pl.DataFrame):  # a pickle would tell of its flags
        return X.schema, [repr(column.to_physical().to_list()) for column in X]
    try:
        return pickle.dumps(X)
    except Exception:
        return list(map(id, X.ravel())) if isinstance(X, np.ndarray) else None


def identity(column: pd.Series) -> Any:
    return list(map(id, column)) if column.dtype == object else repr(pandas_cells(column))


def eager(function: Callable, architecture: Any, mapped: int = 0) -> Callable:
    """A function of `inference` as it is, without the seconds that compiling takes."""
    network, layout = architecture

    def run(weights: Any, constants: Any, *arrays: Any) -> tuple:
        w = layout.read(weights, constants)
        if not mapped:
            return function(network, w, *arrays)
        blocks = zip(*map(tf.unstack, arrays[:mapped]), strict=True)
        of_blocks = [tf.stack(function(network, w, *block, *arrays[mapped:])) for block in blocks]
        return (tf.stack(of_blocks),)

    return run


def begun(task: Any, slots: Any, pace: Any, watch: Any, rng: np.random.Generator) -> Any:
    """The state of a model that is not trained."""
    state = _gradient.State(task.model.weights, ())
    generator = rng.bit_generator.state
    return training.TrainState(state, generator, pace, watch, np.empty((0, 2)), np.zeros((1, 6)))


def anywhere(model: Any, x: np.ndarray, n: int, rng: np.random.Generator) -> tuple:
    return rng.standard_normal((n, model.network.latent_dim), np.float32), float(4 * n), 4 * n


@contextlib.contextmanager
def quick_model(trained: bool) -> Iterator[None]:
    """Without compiling, without a search for latent points, and mostly without training."""
    with contextlib.ExitStack() as stack:
        for module, name, stand_in in [
            (_program, "compiled", eager),
            (_proposals, "REFINE_STEPS", 1),
            *[(module, "HEIGHT", 48) for module in (_blocks, _encode, _prior)],
            *[
                (module, "height_of", lambda model, n_draws: 48)
                for module in (_encode, _noise, _proposals)
            ],
            (_fitting, "SUMMARY_DRAWS", 40),
            (_proposals, "PRIOR_DRAWS", 32),
            (_condition, "points_given", anywhere),
            *[(training, "begun", begun), (training, "states", lambda *_: iter(()))]
            * (not trained),
        ]:
            stack.enter_context(patch.object(module, name, stand_in))
        yield


def fitted(case: Case) -> Outcome:
    with quick_model(case.trained):
        return outcome(estimator(case).fit, build(case.train))


def called(model: VAETransformer, case: Case) -> Outcome:
    X = None if case.call.X is None else build(case.call.X)
    with quick_model(case.trained):
        return outcome(partial(made, model, case), X)


# Checks ----------------------------------------------------------------------------------


class Violation(NamedTuple):
    what: str  # the promise that was broken
    detail: str
    key: tuple  # equal for what has the same cause


def violations(case: Case, out: Outcome) -> list[Violation]:
    """What a call did that it must not do."""
    found = [Violation("input changed", "", ())] * out.changed + list(wrong_warnings(out.warnings))
    if out.error is not None:
        return [*found, *wrong_error(case, out.error)]
    if case.call is None:
        return found
    try:
        return [*found, *wrong_value(case, out)]
    except Exception as error:  # results that cannot even be read
        return [
            *found,
            Violation(
                "result cannot be read", last_lines(error), (type(error).__name__, str(error)[:40])
            ),
        ]


def wrong_warnings(told: list) -> Iterator[Violation]:
    for w in told:
        if w.category is not UserWarning and w.category is not ConvergenceWarning:
            yield Violation(
                f"warning {w.category.__name__}",
                f"{w.message} ({w.filename}:{w.lineno})",
                (w.filename, w.lineno),
            )
        else:
            yield from wrong_text("warning", str(w.message), ())


def wrong_text(what: str, text: str, place: tuple) -> Iterator[Violation]:
    if len(text) > LONGEST:
        yield Violation(
            f"{what} of {len(text)} characters", text[:200], (*place, skeleton(text)[:30])
        )
    internals = [word for word in INTERNALS if word in text.lower()]
    if internals:
        yield Violation(f"{what} tells of {internals}", text[:300], (*place, skeleton(text)[:30]))


def wrong_error(case: Case, error: BaseException) -> Iterator[Violation]:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(PACKAGE)]
    place = (Path(own[-1].filename).name, own[-1].name) if own else ()
    kind, module, last = type(error), type(error).__module__, frames[-1].filename
    try:
        text = str(error)
    except Exception:
        text = "(no text)"
    by_sklearn = "/sklearn/" in last
    allowed = (
        kind is ValueError
        or module.startswith(("sklearn.", "skvae."))
        or (kind is TypeError and by_sklearn)
    )
    if not allowed:
        yield Violation(
            f"{module}.{kind.__name__}", last_lines(error), (*place, skeleton(text)[:40])
        )
        return
    yield from wrong_text("message", text, place)
    if not last.startswith(PACKAGE) and not any(
        "/sklearn/" in frame.filename for frame in frames[-4:]
    ):
        yield Violation(
            "ValueError of another library", last_lines(error), (*place, skeleton(text)[:40])
        )
    elif nameless(case, text):
        yield Violation("message names no column", text[:300], (*place, skeleton(text)[:30]))


NAMELESS = (
    "sample(s)", "feature(s)", "feature names", "several columns named", "architecture", "latent",
    "Unknown", "loss", "named by", "n_samples=", "n_draws", "is sparse", "likelihood=",
    "'likelihood' parameter", "is an array", "leaves none to train on", "without rows", "Z has",
    "features, but", "NaN", "Found array", "Complex data", "NaT",
)  # fmt: skip


def nameless(case: Case, text: str) -> bool:
    """Whether an error about a cell does not say in which column it is."""
    X = case.call.X if case.call else case.train
    if not isinstance(X, (Table, Given)) or any(words in text for words in NAMELESS):
        return False
    names = [*X.names, *names_of(case), *case.train.names, *range(len(X.names))]
    return not any(repr(name)[:20] in text for name in names)


def skeleton(text: str) -> str:
    """A message without what differs from case to case."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|[-\d.e+]+", "_", text)


def last_lines(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    with contextlib.suppress(Exception):
        text = str(error)[:300]
        return (
            " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames[::-1])
            + f": {text}"
        )
    return "(no text)"


def wrong_value(case: Case, out: Outcome) -> Iterator[Violation]:
    method = case.method
    if method in ("transform", "score_samples", "sample_latent", "to_frame"):
        if not np.isfinite(np.asarray(out.value, float)).all():
            yield Violation("result not finite", str(out.value)[:200], ())
        return
    if method in ("outliers", "imputer"):
        return
    if method == "pickle":
        before, after = map(plain, out.value)
        if before != after:
            yield Violation("other rows from a pickled model", f"{before} became {after}"[:300], ())
        return
    rows = plain(out.value)
    yield from holes_or_infinities(case, rows)
    if method == "impute" and isinstance(case.call.X, (Table, Junk)):
        yield from changed_cells(case, plain(build(case.call.X)), rows, out)
    if method == "sample_given":
        yield from unmet_conditions(case, rows)
    if method in ("sample", "inverse_transform", "posterior_predictive"):
        yield from other_schema(case, out.value)


def empty_in_fit(case: Case) -> list[bool]:
    """Which columns fit saw no cell of, or no value that is in enough rows."""
    columns, least = plain(build(case.train)), case.settings.get("min_count", 1)
    counts = [
        Counter(map(repr, (cell for cell in column if cell is not None))) for column in columns
    ]
    return [max(count.values(), default=0) < least for count in counts]


def holes_or_infinities(case: Case, rows: list) -> Iterator[Violation]:
    for j, (column, empty) in enumerate(zip(rows, empty_in_fit(case), strict=False)):
        kind = case.train.columns[j].kind
        if not empty and any(cell is None for cell in column):
            yield Violation("hole in the result", f"column {j}, {kind}", (kind,))
        if infinite(column) and not infinite([*case.train.columns[j].cells, *given_cells(case, j)]):
            yield Violation("infinity in the result", f"column {j}, {kind}", (kind,))


def given_cells(case: Case, j: int) -> list:
    """Cells of a column that a table came with: labels may be infinite."""
    X = case.call.X
    return X.columns[j].cells if isinstance(X, Table) and j < len(X.columns) else []


def infinite(cells: list) -> bool:
    return any(isinstance(cell, float) and cell in (inf, -inf) for cell in cells)


def changed_cells(case: Case, given: list, rows: list, out: Outcome) -> Iterator[Violation]:
    told = " ".join(str(w.message) for w in out.warnings if "not seen in fit" in str(w.message))
    X = build(case.call.X)
    if (
        isinstance(X, pd.DataFrame)
        and isinstance(out.value, pd.DataFrame)
        and not X.index.equals(out.value.index)
    ):
        yield Violation("other index", f"{X.index} became {out.value.index}"[:300], ())
    if len(given) != len(rows) or len(given[0]) != len(rows[0]):
        yield Violation("other shape", f"{len(rows)}, {len(rows[0])}", ())
        return
    for j, (before, after) in enumerate(zip(given, rows, strict=True)):
        if f"in column {short(names_of(case)[j])}" not in told:
            yield from differing(case, j, before, after)


def names_of(case: Case) -> list:
    """The names of the columns of fit; an array's are numbers."""
    return list(case.train.names if case.train.library in FRAMES else range(len(case.train.names)))


def differing(case: Case, j: int, before: list, after: list) -> Iterator[Violation]:
    kind, numbers = case.train.columns[j].kind, case.train.library not in FRAMES
    for a, b in zip(before, after, strict=True):
        if numbers and isinstance(a, str):
            continue  # arrays of text that reads as numbers are numbers
        if a is not None and not equal(a, b):
            kinds = kind, kind_of(case, j)
            yield Violation(
                "given cell changed", f"column {j} of {kinds}: {a!r} became {b!r}"[:300], kinds
            )
            return


def kind_of(case: Case, j: int) -> str:
    """Of the cells that were given for a column."""
    X, name = case.call.X, names_of(case)[j]
    if isinstance(X, Given):
        return next(
            (kind for other, (_, kind, _) in zip(X.names, X.cells, strict=True) if other == name),
            "",
        )
    return (
        f"{X.library} {X.columns[j].kind}"
        if isinstance(X, Table) and j < len(X.columns)
        else str(X)[:40]
    )


def unmet_conditions(case: Case, rows: list) -> Iterator[Violation]:
    X, n, names = case.call.X, case.call.options["n_samples"], names_of(case)
    if isinstance(X, Given):
        for name, cell in zip(X.names, X.cells, strict=True):
            column = rows[names.index(name)]
            yield from differing(
                case, names.index(name), [normal(scalar(*cell))] * len(column), column
            )
    if isinstance(X, Table):
        for k, (name, column) in enumerate(zip(X.names, plain(build(X)), strict=True)):
            j = names.index(name) if name in names and X.library in FRAMES else k
            yield from differing(case, j, column * n, rows[j])


def other_schema(case: Case, value: Any) -> Iterator[Violation]:
    before, after = schema(build(case.train)), schema(value)
    if before[:-1] != after[:-1]:
        yield Violation("other columns", f"{before} became {after}"[:400], ())
        return
    empty_columns = empty_in_fit(case)
    if case.train.library not in FRAMES:
        empty_columns = [any(empty_columns)] * len(empty_columns)
    for a, b, empty in zip(before[-1], after[-1], empty_columns, strict=False):
        no_room = empty and isinstance(a, np.dtype) and a.kind in "iub"  # for holes
        if a != b and not no_room:
            yield Violation(
                "other dtypes", f"{a!r} became {b!r}"[:400], (skeleton(str(a)), skeleton(str(b)))
            )


def schema(X: Any) -> tuple:
    """The type of a table, the names of its columns, and their dtypes."""
    if isinstance(X, pd.DataFrame):
        return type(X), X.columns.dtype, list(map(repr, X.columns)), list(X.dtypes)
    if isinstance(X, pl.DataFrame):
        return type(X), X.columns, X.dtypes
    if isinstance(X, pa.Table):
        return type(X), X.schema.names, X.schema.types
    X = np.zeros(X.shape, X.dtype) if hasattr(X, "tocsr") else np.asarray(X)
    return np.ndarray, [X.dtype if X.dtype.kind in "biuf" else np.dtype(float)] * X.shape[1]


def equal(a: Any, b: Any) -> bool:
    """Whether two normal cells are the same."""
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        return b is not None and float(a) == float(b)
    if isinstance(a, float) and isinstance(b, float) and copysign(1, a) != copysign(1, b):
        return False
    return (
        isinstance(a, str) == isinstance(b, str)
        and isinstance(a, tuple) == isinstance(b, tuple)
        and bool(a == b)
    )


# Cases -----------------------------------------------------------------------------------


class Report:
    """What came of calls."""

    def __init__(self) -> None:
        self.outcomes, self.found, self.times = Counter(), {}, Counter()
        self.calls = 0

    def take(self, case: Case, out: Outcome) -> None:
        self.calls += 1
        self.outcomes[
            case.method, "returned" if out.error is None else type(out.error).__name__
        ] += 1
        for violation in violations(case, out):
            key = key_of(violation)
            self.times[key] += 1
            if key not in self.found:
                self.found[key] = violation, smallest(case, key)
                sys.stderr.write(self.entry(key))

    def entry(self, key: tuple) -> str:
        violation, case = self.found[key]
        return f"{case.method}: {violation.what}: {violation.detail}\n    replay({code(case)})\n"

    def text(self) -> str:
        table = [
            f"{method:22s}{what:16s}{n:7d}" for (method, what), n in sorted(self.outcomes.items())
        ]
        entries = [
            f"{self.times[key]} x {self.entry(key)}"
            for key in sorted(self.found, key=lambda k: -self.times[k])
        ]
        return "\n".join(
            [*table, f"{self.calls} calls, {len(self.found)} kinds of violations", *entries]
        )


def code(X: Any) -> str:
    """A description as code, without the names of its parts."""
    if isinstance(X, tuple) and hasattr(X, "_fields"):
        parts = [*X]
        while parts and parts[-1] == X._field_defaults.get(X._fields[len(parts) - 1], parts):
            parts.pop()
        return f"{type(X).__name__}({', '.join(map(code, parts))})"
    if isinstance(X, str) and len(X) > 100 and len(set(X)) == 1:
        return f"{X[0]!r} * {len(X)}"
    return f"[{', '.join(map(code, X))}]" if isinstance(X, list) else repr(X)


def keys_of(case: Case) -> set:
    """The keys of the violations of a case that is run by itself."""
    out = fitted(case._replace(call=None))
    if case.call is not None:
        if out.error is not None:
            return set()
        out = called(out.value, case)
    return {key_of(violation) for violation in violations(case, out)}


def key_of(violation: Violation) -> tuple:
    return re.sub(r"\d+", "_", violation.what), violation.key


def smallest(case: Case, key: tuple) -> Case:
    """A case with fewer columns, rows and settings that breaks the same promise."""
    better, tries = True, 0
    while better and tries < TRIES:
        better = False
        for smaller in filter(lambda smaller: can_be_built(smaller.train), reduced(case)):
            tries += 1
            if key in keys_of(smaller):
                case, better = smaller, True
                break
    return case


def reduced(case: Case) -> Iterator[Case]:
    """Cases that are a bit smaller."""
    train, call = case.train, case.call
    if case.trained:
        yield case._replace(trained=False)
    for name in [name for name in case.settings if name != "latent_dim"]:
        yield case._replace(settings={k: v for k, v in case.settings.items() if k != name})
    yield from renamed(case)
    if len(train.names) > 1:
        for j in range(len(train.names)):
            less = call and call._replace(X=without(call.X, train, j))
            yield case._replace(train=without(train, train, j), call=less)
    for smaller in shorter(train):
        yield case._replace(
            train=smaller, call=call and (call._replace(X=smaller) if train == call.X else call)
        )
    if call and isinstance(call.X, Table):
        yield from (case._replace(call=call._replace(X=X)) for X in shorter(call.X))
    if call and isinstance(call.X, Given) and len(call.X.names) > 1:
        for j in range(len(call.X.names)):
            X = Given(
                call.X.names[:j] + call.X.names[j + 1 :], call.X.cells[:j] + call.X.cells[j + 1 :]
            )
            yield case._replace(call=call._replace(X=X))


def renamed(case: Case) -> Iterator[Case]:
    """The case with plain names of columns, if it has others."""
    train, call = case.train, case.call
    names = list("abcd"[: len(train.names)])
    if train.names == names or isinstance(case.settings.get("likelihood"), dict):
        return
    if call and isinstance(call.X, Table) and call.X.names == train.names:
        call = call._replace(X=call.X._replace(names=names))
    if call and isinstance(call.X, Given) and train.library in FRAMES:
        plainer = dict(zip(map(repr, train.names), names, strict=True))
        call = call._replace(
            X=call.X._replace(names=[plainer.get(repr(name), name) for name in call.X.names])
        )
    yield case._replace(train=train._replace(names=names), call=call)


def shorter(X: Table) -> Iterator[Table]:
    if X.index != "range":
        yield X._replace(index="range")
    n = X.n
    for length in (n // 2, n // 4, 1):
        for start in range(0, n, max(1, length)) if 0 < length < n else ():
            keep = [i for i in range(n) if not start <= i < start + length]
            yield X._replace(
                columns=[c._replace(cells=[c.cells[i] for i in keep]) for c in X.columns]
            )


def without(X: Any, train: Table, j: int) -> Any:
    """A table or conditions without a column of the table of fit."""
    if isinstance(X, Table) and j < len(X.names):
        return X._replace(
            names=X.names[:j] + X.names[j + 1 :], columns=X.columns[:j] + X.columns[j + 1 :]
        )
    if isinstance(X, Given):
        kept = [i for i, name in enumerate(X.names) if name is not train.names[j]]
        return Given([X.names[i] for i in kept], [X.cells[i] for i in kept])
    return X


def session(dice: random.Random, report: Report) -> None:
    """A fit and calls on the model."""
    train = until(lambda: drawn_table(dice))
    case = Case(train, drawn_settings(dice, train), trained=dice.randrange(TRAINED) == 0)
    if dice.random() < 0.02:
        case = Case(Junk(dice.choice(list(JUNK))), {"latent_dim": 2})
    out = fitted(case)
    report.take(case, out)
    if out.error is not None or isinstance(case.train, Junk):
        return
    for _ in range(PER_FIT):
        call = case._replace(call=drawn_call(dice, case))
        report.take(call, called(out.value, call))


def replay(case: Case) -> None:
    """Run a case again and print what is wrong with it."""
    out = fitted(case._replace(call=None))
    out = called(out.value, case) if case.call is not None and out.error is None else out
    if out.error is not None:
        traceback.print_exception(out.error)
    print(out.value, *[f"{w.category.__name__}: {w.message}" for w in out.warnings], sep="\n")
    print(*violations(case, out), sep="\n")


@pytest.mark.slow
def test_every_call_gives_a_sound_result_or_an_error_that_helps():
    report = Report()

    @settings(
        max_examples=CALLS // ON_AVERAGE,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**64 - 1))
    def run(seed):
        session(random.Random(seed), report)

    run()
    assert not report.found, report.text()


def main(calls: int, seed: int) -> None:
    report, start, number = Report(), time.perf_counter(), 0
    while report.calls < calls:
        session(random.Random(f"{seed}/{number}"), report)
        number += 1
    print(report.text())
    print(f"seed {seed}: {report.calls} calls in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else CALLS,
        int(sys.argv[2]) if len(sys.argv) > 2 else 0,
    )
