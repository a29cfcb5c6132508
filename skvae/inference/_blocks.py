"""Rows in blocks of one fixed height, through compiled functions of an architecture.

Products of different heights differ in their last bits, and so do the rows that are left over
where a processor takes many at a time. So every block is padded to the same height, with none
left over: what a row gives then never depends on its neighbours. A call takes many blocks.
"""

from collections.abc import Callable, Iterator
from math import gcd, lcm
from typing import Any

import numpy as np

from skvae._memory import aligned
from skvae.engine import run
from skvae.model import Model

HEIGHT = 192  # rows in a block: few, so that one row alone does not wait for many
# Rows of a product that processors take at a time are 4, 6, 8 or 24 and more: none is left over
UNITS = 192, 48
PACKED = 16  # most numbers that a processor takes at a time
GROUP = 2**15  # most rows in a call
DRAWS = 8192  # rows x draws in a block, where there are draws
NUMBERS = 2**23  # most numbers that the decoder gives, or the prior holds, for a block


def height_of(model: Model, n_draws: int) -> int:
    """Rows in a block with that many draws of each."""
    draws = min(DRAWS, NUMBERS // model.network.numbers_per_draw)
    return _even(min(draws // n_draws, NUMBERS // model.network.encoder.widest), n_draws)


def encoding_height(model: Model) -> int:
    """Rows in a block that is encoded."""
    return _even(min(HEIGHT, NUMBERS // model.network.encoder.widest))


def _even(height: int, n_draws: int = 1) -> int:
    """The next lower height that leaves no row over; or one row, always in the same place."""
    steps = [lcm(PACKED, unit // gcd(unit, n_draws)) for unit in UNITS]
    return ([height // step * step for step in steps if step <= height] or [1])[0]


def by_row(
    function: Callable, model: Model, height: int, *arrays: Any, **more: np.ndarray
) -> list[np.ndarray]:
    """What a function of rows alone gives for all rows."""
    groups = zip(*by_group(function, model, height, *arrays, **more), strict=True)
    return [np.concatenate(group) for group in groups]


def by_group(
    function: Callable, model: Model, height: int, *arrays: Any, **more: np.ndarray
) -> Iterator[list[np.ndarray]]:
    """The same, group by group of rows."""
    widest = max(model.network.decoder.n_out, *(array[:1].size for array in arrays))
    rows = height * max(1, min(GROUP, NUMBERS // widest) // height)
    for start in range(0, len(arrays[0]), rows):
        group = [array[start : start + rows] for array in arrays]
        blocks = [_stacked(array, height) for array in group]
        out = run(function, model, *blocks, *more.values(), mapped=len(blocks))[0]
        n = len(group[0])
        yield [part.reshape(-1, *part.shape[2:])[:n] for part in out.swapaxes(0, 1)]


def _stacked(rows: np.ndarray, height: int) -> np.ndarray:
    """Rows as blocks of one height, the last filled with zeros, (blocks, height, ...)."""
    n_blocks = -(-len(rows) // height)
    return padded(rows, n_blocks * height).reshape(n_blocks, height, *rows.shape[1:])


def in_blocks(height: int, *arrays: Any) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Slices of one height, the last filled with zeros, each with its number of true rows."""
    for start in range(0, len(arrays[0]), height):
        blocks = [array[start : start + height] for array in arrays]
        yield len(blocks[0]), [padded(block, height) for block in blocks]


def padded(block: np.ndarray, height: int) -> np.ndarray:
    if len(block) == height:
        return block
    padded = aligned((height, *block.shape[1:]), block.dtype)
    padded[: len(block)], padded[len(block) :] = block, 0.0
    return padded
