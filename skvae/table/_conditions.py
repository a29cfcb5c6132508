"""Given cells: conditions as rows, and what was given laid over what was drawn."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse

from skvae._sklearn import warn
from skvae.table._codec import Codec
from skvae.table._columns import Feature
from skvae.table._dtypes import of_array, of_scalars, read
from skvae.table._formats import WORDS, Levels, Numbers
from skvae.table._frames import columns_of, frame_of, names_of
from skvae.table._input import as_objects, check_eager, nearest_first
from skvae.table._series import Dtype
from skvae.table._values import Values, short

WIDE = Dtype("numpy", "float64", "float64")
SEVERAL = (list, tuple, set, frozenset, Mapping, np.ndarray, range, slice)


class Conditions(NamedTuple):
    """Given cells of some rows."""

    columns: list  # Values of each column of fit, or None where nothing is given
    kept: np.ndarray  # (rows, columns), which cells are given
    x: np.ndarray  # the rows encoded, NaN elsewhere
    numbers: np.ndarray  # (rows, columns), of the given cells

    def column(self, j: int) -> Values:
        """The given cells of a column."""
        return self.columns[j]


def conditions(codec: Codec, given: Any) -> Conditions:
    """What `given` says, checked against what fit saw."""
    cells, n = _given(codec, given)
    if not n:
        raise ValueError("given is a table without rows, but one for each condition is expected.")
    unknown = [name for name in cells if name not in codec.names]
    if unknown:
        raise ValueError(
            f"given names column {short(unknown[0])}, but fit saw no such column; it saw "
            f"{nearest_first(unknown[0], codec.names)}."
        )
    columns = [cells.get(name) for name in codec.names]
    numbers, far = np.full((n, len(codec.names)), np.nan), []
    for j, (feature, column) in enumerate(zip(codec.features, columns, strict=True)):
        if column is None or column.meaning == "nothing":
            continue
        numbers[:, j] = _numbers(feature, column)
        if feature.format.kind in ("integer", "float") and feature.varies:
            low, high = float(feature.format.low), float(feature.format.high)
            out = (numbers[:, j] < low) | (numbers[:, j] > high)
            if out.any():
                what = f"{column.first(out)} in column {short(feature.name)}"
                far.append(f"{what}, which held {low:g} to {high:g}")
    if far:
        warn(
            f"given has {'; '.join(far)}: the other columns are drawn for values that fit never "
            "saw."
        )
    return Conditions(columns, ~np.isnan(numbers), codec.encode_numbers(numbers), numbers)


def overlaid(codec: Codec, drawn: list[tuple], given: Any, kept: np.ndarray, n: int) -> list[tuple]:
    """Drawn columns of n rows with the kept cells of other rows, in turn, bit for bit.

    A column keeps the dtype of fit unless that would change a kept cell.
    """
    turns = np.arange(n) % len(kept)
    columns = []
    for j, (feature, (cells, holes)) in enumerate(zip(codec.features, drawn, strict=True)):
        places = np.flatnonzero(kept[turns, j])
        if len(places):
            column = given.column(j)
            own = column.take(turns[places])
            columns.append(_laid_over(feature, cells, holes, places, own))
        else:
            columns.append((feature.dtype, cells, holes))
    return columns


def _laid_over(
    feature: Feature, cells: np.ndarray, holes: Any, places: np.ndarray, own: Values
) -> tuple:
    if holes is not None:  # fit saw no cell there
        return _of_own_alone(feature, holes, places, own)
    values = _as_fit_has_them(feature, own.plain())
    dtype, cells = _room(feature.dtype, own.dtype, cells, values)
    if not dtype.holds(values):
        wrong = ~_held(dtype, values)
        raise ValueError(
            f"Column {short(feature.name)} has {own.first(wrong)}, which cannot be kept "
            f"as it is in the dtype {feature.dtype.name} of fit, nor in {dtype.name}; round it, or "
            "leave that cell empty."
        )
    cells[places] = values
    return dtype, cells, holes


def _of_own_alone(feature: Feature, holes: np.ndarray, places: np.ndarray, own: Values) -> tuple:
    """A column of nothing but kept cells."""
    values, same = own.plain(), own.dtype.library == feature.dtype.library
    if not same and not all(isinstance(value, str) for value in values):
        values = _as_numbers(values)
    dtype = own.dtype if same else feature.dtype.of_numpy(values.dtype, own.dtype.get("zone"))
    cells, holes = np.zeros(len(holes), values.dtype), holes.copy()
    cells[places], holes[places] = values, False
    return dtype, cells, holes


def _as_fit_has_them(feature: Feature, values: np.ndarray) -> np.ndarray:
    """Labels as the equal ones of fit, 1 for True; numbers among objects or decimals as numbers."""
    if feature.dtype.numpy == "object":
        known = {level: level for level in getattr(feature.format, "levels", ())}
        labels = np.empty(len(values), object)
        labels[:] = [known.get(value, value) for value in values.tolist()]
        return labels
    if values.dtype.kind == "O":
        return _as_numbers(values)
    if feature.dtype.get("scale") is None:
        return values
    floats = values.astype(float)
    return floats if floats.tolist() == values.tolist() else values  # large whole numbers


def _as_numbers(values: np.ndarray) -> np.ndarray:
    """Labels that are numbers as such."""
    return np.array(values.tolist()) if values.dtype.kind == "O" else values


def _held(dtype: Dtype, values: np.ndarray) -> np.ndarray:
    """Which values come back from a dtype as they are."""
    return np.array([dtype.holds(values[i : i + 1]) for i in range(len(values))], bool)


def _room(
    dtype: Dtype, other: Dtype, cells: np.ndarray, values: np.ndarray
) -> tuple[Dtype, np.ndarray]:
    """A dtype that holds both a drawn column and kept values as they are, and the column in it."""
    levels, others = dtype.get("levels"), other.get("levels")
    both = levels is not None and others is not None and dtype.library == other.library
    if both and other.holds(cells) and other.holds(values):
        # Categories that nobody has, and their order, are those of the table at hand.
        return other, cells.copy()
    if dtype.holds(values):
        return dtype, cells.copy()
    if levels is not None:
        levels = dict.fromkeys([*levels, *values.tolist()])
        return dtype.with_levels(levels), cells.astype(object)
    # The other dtype where it nearly fits, or else one that is common to both.
    same = other.library == dtype.library and other.numpy == str(values.dtype)
    if same and _fits(cells, values.dtype):
        return other, cells.astype(values.dtype)
    wide = np.result_type(cells.dtype, values.dtype)
    return dtype.of_numpy(wide, dtype.get("zone")), cells.astype(wide)


def _fits(cells: np.ndarray, dtype: np.dtype) -> bool:
    """Whether drawn cells are at least nearly themselves in another dtype."""
    if "O" in (cells.dtype.kind, dtype.kind):
        return cells.dtype.kind == dtype.kind
    if dtype.kind in "mM" or dtype.kind == "f":
        return True
    with np.errstate(all="ignore"):
        return bool((cells.astype(dtype) == cells).all())


def _given(codec: Codec, given: Any) -> tuple[dict, int]:
    """Given columns by name, and how many rows there are."""
    if isinstance(given, Mapping):
        for name, value in given.items():
            if isinstance(value, SEVERAL) or (hasattr(value, "shape") and value.shape):
                raise ValueError(
                    f"given has {short(value)} in column {short(name)}, but one value is expected; "
                    "for several conditions give a DataFrame, for a range keep those of many rows "
                    "that lie in it."
                )
        scales = _scales(codec)
        cells = {name: of_scalars(name, [value], scales.get(name)) for name, value in given.items()}
        return cells, 1
    if issparse(given):
        raise ValueError(
            "given is sparse, but a zero in a sparse table is a value, not a hole: give a dict of "
            "{column: value}, or a dense table with holes."
        )
    check_eager("given", given)
    frame = frame_of(given) if hasattr(given, "columns") or hasattr(given, "column_names") else None
    if frame is not None:
        columns = zip(names_of(frame), columns_of(frame), strict=True)
        return {name: read(name, column) for name, column in columns}, len(frame)
    if isinstance(given, (list, tuple, np.ndarray)) and as_objects(given, "given").ndim == 2:
        return _of_array(codec, given)
    raise ValueError(
        f"given has type {type(given).__name__}, but a dict of {{column: value}} or a table with "
        "holes is expected."
    )


def _of_array(codec: Codec, given: Any) -> tuple[dict, int]:
    given = as_objects(given, "given")
    cells, mask = np.ma.getdata(given), np.ma.getmaskarray(given)
    cells = cells if cells.dtype.kind in "biuf" else cells.astype(object)
    names = codec.names if cells.shape[1] == len(codec.names) else range(cells.shape[1])
    columns, scales = {}, _scales(codec)
    for j, name in enumerate(names):
        if cells.dtype == object:
            column = of_scalars(name, cells[:, j].tolist(), scales.get(name))
        else:
            column = of_array(name, cells[:, j], "numpy")
        columns[name] = column._replace(holes=column.holes | mask[:, j])
    return columns, len(cells)


def _scales(codec: Codec) -> dict:
    """How many digits behind the point columns of decimals have, by name."""
    return {feature.name: feature.dtype.get("scale") for feature in codec.features}


def _numbers(feature: Feature, column: Values) -> np.ndarray:
    """The numbers of given cells, or a ValueError where one cannot be met exactly."""
    misfits = feature.format.misfits(column)
    if misfits is not None:
        raise _unmet(feature, column, misfits, f"that column holds {_words(feature)}")
    numbers = feature.format.read(column)
    seen = ~np.isnan(numbers)
    if feature.constant is None and not feature.varies:
        raise _unmet(feature, column, ~column.holes, "fit saw no value there")
    if feature.likelihood.over_levels and (numbers[seen] < 0).any():
        unseen = numbers < 0
        raise _unmet(feature, column, unseen, _seen_alone(feature, column.first(unseen)))
    with np.errstate(invalid="ignore"):
        kinds = {
            "integer": numbers == np.floor(numbers),
            "boolean": (numbers == 0) | (numbers == 1),
        }
    wrong = seen & ~(np.isfinite(numbers) & kinds.get(feature.format.kind, True))
    if wrong.any():
        raise _unmet(feature, column, wrong, f"that column holds {_words(feature)}")
    other = seen & (numbers != feature.constant)
    if not feature.varies and other.any():
        raise _unmet(feature, column, other, _seen_alone(feature, column.first(other)))
    _check_room(feature, column, seen)
    return numbers


def _unmet(feature: Feature, column: Values, rows: np.ndarray, why: str) -> ValueError:
    return ValueError(f"given has {column.first(rows)} in column {short(feature.name)}, but {why}.")


def _words(feature: Feature) -> str:
    """What a condition on a column has to be."""
    if isinstance(feature.format, Numbers):
        return WORDS[feature.format.kind]
    return feature.format.words


def _seen_alone(feature: Feature, value: str) -> str:
    """What fit saw of a column of labels, or of one value, first what looks like another value."""
    labels = isinstance(feature.format, Levels)
    if labels and np.dtype(feature.format.numpy).kind not in "mM":
        seen = feature.format.levels
    else:
        codes = np.arange(len(feature.format.levels)) if labels else [feature.constant]
        seen = feature.format.restore(np.asarray(codes, float), feature.dtype).tolist()
    return f"fit saw only {nearest_first(value, seen)} there"


def _check_room(feature: Feature, column: Values, seen: np.ndarray) -> None:
    """Refuse cells that the dtype of fit cannot hold; floats may have more digits than it has."""
    if isinstance(feature.format, Levels):
        return
    floats = feature.format.kind == "float" and feature.dtype.get("scale") is None
    dtype = WIDE if floats else feature.dtype
    held = _held(dtype, _as_numbers(column.plain()[seen]))
    if not held.all():
        wrong = seen.copy()
        wrong[seen] = ~held
        raise _unmet(feature, column, wrong, f"its dtype {dtype.name} cannot hold that")
