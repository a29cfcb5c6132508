"""Python's own objects, and text of any library, as codes and the labels that they stand for."""

from datetime import date, time
from typing import Any

import numpy as np
import pandas as pd

from skvae.table._series import NONE, Dtype
from skvae.table._values import Values, is_hole, refused, short

# Types that a label may have.
LABELS = (str, bool, int, float, np.bool_, np.integer, np.float16, np.float32)


def of_objects(name: Any, cells: np.ndarray, dtype: Dtype) -> Values:
    """Python's own objects: labels."""
    try:
        holes = pd.isna(cells)
    except ArithmeticError:  # of a signalling NaN
        holes = np.array([is_hole(cell) for cell in cells])
        cells = np.where(holes, NONE, cells)
    for kind in dict.fromkeys(map(type, cells[~holes])):
        if not issubclass(kind, LABELS):
            example = next(cell for cell in cells[~holes] if type(cell) is kind)
            what = f"holds objects of type {kind.__name__}, such as {short(example)}"
            raise refused(name, what, _word(kind))
    return of_labels(name, cells, holes, dtype)


def _word(kind: type) -> str:
    """What a type is called where it is known what to do about it."""
    if kind is time:
        return "time"
    return "date" if issubclass(kind, (date, np.datetime64)) else kind.__name__


def of_labels(name: Any, cells: Any, holes: np.ndarray, dtype: Dtype) -> Values:
    """A column of labels."""
    try:
        codes, levels = _factorized(cells, holes)
        levels = plain_labels(name, levels)
    except (TypeError, UnicodeError, RecursionError) as error:
        what = f"holds objects that cannot be told apart ({type(error).__name__})"
        raise refused(name, what, "") from None
    return Values(dtype, np.where(holes, -1, codes), holes, levels)


def _factorized(cells: Any, holes: np.ndarray) -> tuple:
    """Codes and what they stand for, as of pandas, which takes text in objects to end at a NUL."""
    if getattr(cells.dtype, "storage", "") == "python":
        cells = cells.to_numpy(object)
    if not isinstance(cells, np.ndarray) or not _has_nul(cells):
        return pd.factorize(cells)
    levels = list(dict.fromkeys(cells[~holes]))
    places = {level: code for code, level in enumerate(levels)}
    codes = [-1 if hole else places[cell] for cell, hole in zip(cells, holes, strict=True)]
    return np.array(codes), levels


def _has_nul(cells: np.ndarray) -> bool:
    return any("\0" in cell for cell in cells if isinstance(cell, str))


def plain_labels(name: Any, levels: Any) -> np.ndarray:
    """Labels in Python's own types."""
    plain = np.empty(len(levels), object)
    plain[:] = [_plain_label(level) for level in levels]
    for level in plain:
        if isinstance(level, str) and not level.isascii():
            _check_text(name, level)
    return plain


def _plain_label(label: Any) -> Any:
    label = label.item() if isinstance(label, np.generic) else label
    kind = next(kind for kind in (str, bool, int, float) if isinstance(label, kind))
    plain = {str: str.__str__, int: int.__int__, float: float.__float__}
    return label if type(label) is kind else plain[kind](label)  # not by a subclass' own way


def _check_text(name: Any, label: str) -> None:
    try:
        label.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"Column {short(name)} has {short(label)}, which is no valid text (half of a pair of "
            "surrogates): decode it again, or replace it."
        ) from None
