"""Cells that fall into one of several slots of their column: levels, or bins and atoms.

The slots of all columns lie side by side in one vector, padded so that tables with a few
levels more or less share one compiled program. A matrix product adds them up by column.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from skvae._math import cast, ops, take, unbounded
from skvae.likelihoods._base import Column, padded

FEW = 2**16  # slots x columns
FEWEST = 0.5  # pseudo-count of a slot that no row fell into


def constants(x: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
    """Column, code and log-share of rows of each slot, and the first slot of each column.

    The padding belongs to column -1, and its share is next to nothing.
    """
    counts = np.array([column.n_slots for column in columns])
    column, start = np.repeat(np.arange(len(counts)), counts), np.cumsum(counts) - counts
    code = np.arange(len(column)) - start[column]
    padding = np.full(padded(len(column)) - len(column), -1.0)
    found = [
        np.bincount(codes.astype(np.intp), minlength=n)[:n] + FEWEST
        for codes, n in zip(x.T, counts, strict=True)
    ]
    shares = [np.log(rows / rows.sum()) for rows in found]
    arrays = {
        "column": np.append(column, padding),
        "code": np.append(code, padding),
        "start": start,
        "base": np.concatenate([*shares, 1e4 * padding]),
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def with_more(arrays: dict[str, np.ndarray], **more: np.ndarray) -> dict[str, np.ndarray]:
    """The constants and others of each slot, which are 0 in the padding."""
    n = len(arrays["base"])

    def filled(array: np.ndarray) -> np.ndarray:
        return np.append(array, np.zeros(n - len(array))).astype(np.float32)

    return arrays | {name: filled(array) for name, array in more.items()}


def raw_of(w: dict, log_probs: np.ndarray) -> np.ndarray:
    """Raw logits of the slots of one column that have these log-probabilities, (..., slots)."""
    n = log_probs.shape[-1]
    padding = np.zeros((*log_probs.shape[:-1], len(w["base"]) - n), np.float32)
    return np.concatenate([unbounded(log_probs - w["base"][:n]), padding], axis=-1)


def membership(w: dict, xp: Any) -> Any:
    """Whether a slot is a column's, (slots, columns): products add slots up, or spread columns."""
    columns = np.arange(w["start"].shape[-1], dtype=np.float32)
    return cast(xp.expand_dims(w["column"], 1) == columns, "float32", xp)


def one_hot(w: dict, x: Any) -> Any:
    """1 in the slot of each cell, (..., slots); zeros for a code that no slot has."""
    column = ops.cast(ops.maximum(w["column"], 0.0), "int32")
    return ops.cast(take(ops.floor(x), column, axis=-1) == w["code"], "float32")


def one_hot_seen(w: dict, x: Any, seen: Any) -> Any:
    """The same, with zeros in the slots of a hole."""
    return one_hot(w, ops.where(seen > 0, x, -2.0))


def slot(w: dict, x: Any) -> tuple[Any, Any]:
    """The slot of each cell, and whether its column has it: a filler may have any code."""
    slots, cells = w["column"].shape[0], np.arange(w["start"].shape[-1], dtype=np.float32)
    own = ops.cast(ops.clip(w["start"] + ops.floor(x), 0.0, slots - 1.0), "int32")
    return own, take(w["column"], own) == cells


def log_prob(w: dict, x: Any, logits: Any) -> Any:
    """Log-probability of the slot of each cell, (..., cells); `logits` are at most some 20.

    It is 0 where a column has no such slot. Few logits are found by a product, whose gradient is
    short, and many by their places.
    """
    columns, (own, exists) = membership(w, ops), slot(w, x)
    total = ops.matmul(ops.exp(logits), columns)
    if columns.shape[0] * columns.shape[1] <= FEW:
        chosen = ops.matmul(logits * one_hot(w, x), columns)
    else:
        own = ops.broadcast_to(own, ops.shape(total))
        chosen = ops.where(exists, ops.take_along_axis(logits, own, axis=-1), 0.0)
    return chosen - ops.log(ops.where(exists, total, 1.0))


def by_column(w: dict, slots: np.ndarray) -> list[np.ndarray]:
    """What belongs to the slots of each column, (..., levels) each, in NumPy."""
    column = w["column"][w["column"] >= 0].astype(np.intp)
    edges = np.cumsum([0, *np.bincount(column, minlength=len(w["start"]))])
    return [slots[..., i:j] for i, j in pairwise(edges)]


def probabilities(w: dict, logits: np.ndarray) -> list[np.ndarray]:
    """The probabilities of the slots of each column, (..., levels) each, in NumPy."""
    parts = by_column(w, logits.astype(np.float64))
    ps = [np.exp(part - part.max(axis=-1, keepdims=True, initial=-np.inf)) for part in parts]
    return [p / p.sum(axis=-1, keepdims=True) for p in ps]


def most_likely(probabilities: list[np.ndarray]) -> np.ndarray:
    """The code of the most likely slot of each column, (..., columns); 0 where it has none."""
    return np.stack([_largest(p) for p in probabilities], axis=-1)


def mixture(probabilities: list[np.ndarray], weights: np.ndarray) -> list[np.ndarray]:
    """Those of a mixture over the first axis, with weights of its shape but for the slots."""
    return [(weights[..., None] * p).sum(axis=0) for p in probabilities]


def draws(probabilities: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The code of a slot of each column drawn by its probability, (..., columns)."""
    return np.stack([_draw(p, rng) for p in probabilities], axis=-1)


def _largest(p: np.ndarray) -> np.ndarray:
    return p.argmax(axis=-1) if p.size else np.zeros(p.shape[:-1], int)


def _draw(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    cumulative = p.cumsum(axis=-1)
    u = rng.random((*p.shape[:-1], 1)) * cumulative[..., -1:]
    slot = (cumulative <= u).sum(axis=-1)
    return slot.clip(max=max(p.shape[-1] - 1, 0))
