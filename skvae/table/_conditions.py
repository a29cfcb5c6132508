"""Given cells: conditions as rows, and what was given laid over what was drawn."""

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skvae.table._codec import Codec
from skvae.table._columns import Feature
from skvae.table._input import Rows, frame_of, plain

HOLDS = {  # what a condition on a column of each kind has to be
    "float": ("finite numbers", lambda value: isinstance(value, (Real, np.bool_)) and np.isfinite(value)),
    "integer": (
        "whole numbers",
        lambda value: isinstance(value, (Real, np.bool_)) and np.isfinite(value) and value == int(value),
    ),
    "boolean": ("booleans", lambda value: isinstance(value, (bool, np.bool_)) or value in (0, 1)),
    "datetime": ("datetimes", lambda value: not isinstance(value, Real)),
}


def overlaid(codec: Codec, drawn: Any, rows: Rows, kept: np.ndarray) -> Any:
    """Drawn rows with the kept cells of other rows, in turn, bit for bit."""
    if rows.frame is None:
        turns = np.arange(len(drawn)) % len(kept)
        return _merged(drawn, rows.given[turns], kept[turns])
    columns = nw.from_native(drawn, eager_only=True).iter_columns()
    merged = [_overlaid(column, rows.series(j), kept[:, j]) for j, column in enumerate(columns)]
    return codec.assembled(merged, len(drawn), drawn)


def conditions(codec: Codec, given: Any) -> tuple[Any, np.ndarray]:
    """Conditions as a table like that of fit, and which of its cells are given, (rows, columns)."""
    cells = _cells(given)
    unknown = [name for name in cells if name not in codec.names]
    if unknown:
        raise ValueError(
            f"given names column {unknown[0]!r}, but fit saw no such column; it saw {_listed(codec.names)}."
        )
    n = len(next(iter(cells.values()), [None]))
    values = [cells.get(name, [None] * n) for name in codec.names]
    for name, feature, column in zip(codec.names, codec.features, values, strict=True):
        _check_given(name, feature, column)
    _warn_of_far(codec.names, codec.features, values)
    columns = [feature.condition(column) for feature, column in zip(codec.features, values, strict=True)]
    return codec.assembled(columns, n, given), ~np.array([pd.isna(np.array(v, object)) for v in values]).T


def _warn_of_far(names: tuple, features: tuple, values: list) -> None:
    """Say which given numbers lie outside of what fit saw."""
    far = []
    for name, feature, column in zip(names, features, values, strict=True):
        if feature.format.kind in ("integer", "float"):
            low, high = float(feature.format.low), float(feature.format.high)
            out = [value for value in column if not pd.isna(value) and not low <= value <= high]
            far += [f"{out[0]!r} in column {name!r}, which held {low:g} to {high:g}"] if out else []
    if far:
        warnings.warn(
            f"given has {'; '.join(far)}: the other columns are drawn for values that fit never saw.", stacklevel=5
        )


def _merged(drawn: np.ndarray, given: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Given cells where they are kept, drawn ones elsewhere; in the dtype drawn unless that changes a kept cell."""
    with np.errstate(invalid="ignore"):
        same = given.astype(drawn.dtype)
    fits = (same == given)[kept].all()
    return np.where(kept, same if fits else given, drawn)


def _overlaid(drawn: nw.Series, given: nw.Series, kept: np.ndarray) -> Any:
    """A drawn column with the observed cells of another, in turn; in the other's dtype where its values need that."""
    if not kept.any():
        return drawn.to_native()
    turns = np.arange(len(drawn)) % len(given)
    places = np.flatnonzero(kept[turns])
    cells = given[turns[places]]
    if cells.implementation != drawn.implementation:
        cells = nw.new_series(cells.name, cells.to_list(), backend=drawn.implementation)
    if cells.dtype != drawn.dtype and not cells.dtype.is_numeric():
        cells = cells.cast(drawn.dtype)
    if cells.dtype != drawn.dtype and not _fits(cells.to_numpy(), drawn):
        drawn = drawn.cast(cells.dtype)
    return drawn.scatter(places, cells.cast(drawn.dtype)).to_native()


def _fits(values: np.ndarray, like: nw.Series) -> bool:
    """Whether numbers are the same in the dtype of another column."""
    if not like.dtype.is_integer():
        return True
    dtype = np.dtype(str(like.dtype).lower())
    with np.errstate(invalid="ignore"):
        return bool((values.astype(dtype) == values).all())


def _cells(given: Any) -> dict:
    """Lists of given values by column name."""
    if isinstance(given, Mapping):
        return {name: [value] for name, value in given.items()}
    frame = frame_of(given)
    if frame is not None:
        return {name: column.to_list() for name, column in zip(plain(given.columns), frame.iter_columns(), strict=True)}
    if issparse(given):
        raise ValueError(
            "given is sparse, but a zero in a sparse table is a value, not a hole: give a dict of {column: value}, or "
            "a dense table with holes."
        )
    if np.ndim(given) == 2:
        return {j: column.tolist() for j, column in enumerate(np.asarray(given).T)}
    raise ValueError(
        f"given has type {type(given).__name__}, but a dict of {{column: value}} or a table with holes is expected."
    )


def _check_given(name: Any, feature: Feature, values: list) -> None:
    several = [value for value in values if np.ndim(value)]
    if several:
        raise ValueError(f"given has {several[0]!r} in column {name!r}; for several conditions give a DataFrame.")
    known, values = feature.levels(), [value for value in values if not pd.isna(value)]
    kind = feature.format.kind
    if known is not None:
        new = [value for value in values if value not in known]
        if new:
            raise ValueError(f"given has {new[0]!r} in column {name!r}, but fit saw only {_listed(known)} there.")
    for value in values if kind in HOLDS else ():
        words, fits = HOLDS[kind]
        if not fits(value):
            raise ValueError(f"given has {value!r} in column {name!r}, but that column holds {words}.")
    other = [value for value in values if not feature.varies and value != feature.cell.to_list()[0]]
    if other:
        raise ValueError(
            f"given has {other[0]!r} in column {name!r}, but fit saw only {feature.cell.to_list()[0]!r} there."
        )


def _listed(values: Any) -> str:
    values = list(values)
    return ", ".join(map(repr, values[:10])) + (", ..." if len(values) > 10 else "")
