"""What each cell of a table tells given the others of its row, as tables like it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from skvae.model import Model
from skvae.table import Codec, parts

AT_ONCE = 2**18  # cells of rows that are looked at together


def scored_cells(vae: Any, X: Any, n_draws: int) -> Any:
    """log p(cell | others of its row) in nats, in the units of X, as a table like X."""
    return _by_cell(vae, X, partial(_scored, vae._model, vae._codec, n_draws=n_draws))


def costs_of_cells(vae: Any, X: Any, n_draws: int) -> Any:
    """Nats that cells cost above the mean of draws in their place, whatever their units."""
    return _by_cell(vae, X, partial(_costs, vae._model, vae._codec, n_draws=n_draws))


def _by_cell(vae: Any, X: Any, read: Callable) -> Any:
    """What `read` makes of the numbers of rows, in the place of cells; NaN in holes."""
    rows, codec = vae._rows(X), vae._codec
    found = np.empty((rows.n, len(codec.names)), order="F")
    for part in parts(rows.n, len(codec.names), AT_ONCE):
        numbers = codec.read(rows.part(part), part.start)
        holes = np.isnan(numbers) | codec.scaling.unknown
        found[part] = np.where(holes, np.nan, read(numbers))
    return codec.frame.table(list(found.T), rows.n, X)


def _scored(model: Model, codec: Codec, numbers: np.ndarray, n_draws: int) -> np.ndarray:
    if model.network.chain:
        return _left_out(model, codec, numbers, n_draws)
    return _given_others(model, codec, numbers, n_draws)[0] + codec.offsets(numbers)


def _costs(model: Model, codec: Codec, numbers: np.ndarray, n_draws: int) -> np.ndarray:
    if model.network.chain:
        return _drawn_anew(model, codec, numbers, n_draws)
    log_prob, expected = _given_others(model, codec, numbers, n_draws)
    return expected - log_prob - _beyond_units(codec, numbers)


def _beyond_units(codec: Codec, numbers: np.ndarray) -> np.ndarray:
    """What the density of each number owes to its column but not to its units."""
    return codec.offsets(numbers) - codec.log_units_of(numbers)


def _given_others(model: Model, codec: Codec, numbers: np.ndarray, n_draws: int) -> tuple:
    """The scores of cells that do not see each other, of columns in the user's order."""
    from skvae.inference import cell_scores

    slots, settle = [column.n_slots for column in codec.columns()], partial(_settled, codec)
    scores = cell_scores(model, codec.encoded(numbers).x, slots, n_draws, settle)
    place = np.argsort(codec.order)
    return scores.log_prob[:, place], scores.expected[:, place]


def _settled(codec: Codec, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drawn cells as those of the numbers that they stand for, and what these add."""
    numbers = np.stack(codec.numbers_of([drawn], points=False, given=None), axis=1)
    return codec.encoded(numbers).x[:], _beyond_units(codec, numbers)[:, codec.order]


def _left_out(model: Model, codec: Codec, numbers: np.ndarray, n_draws: int) -> np.ndarray:
    """What rows score above what they do without a cell, (rows, columns)."""
    score = partial(_scores, model, codec, n_draws=n_draws)
    whole = score(numbers)
    found = [whole - score(without) for without in _each_without(numbers)]
    return np.stack(found, axis=1)


def _drawn_anew(model: Model, codec: Codec, numbers: np.ndarray, n_draws: int) -> np.ndarray:
    """What rows score less than they do in the mean with a cell drawn anew, (rows, columns)."""
    from skvae.inference import cells_spread

    found = []
    for j, without in enumerate(_each_without(numbers)):
        drawn = cells_spread(model, codec.encoded(without).x, n_draws)  # (times, rows, cells)
        given = without if codec.sums else None
        both, own = np.tile(numbers, (1 + len(drawn), 1)), np.tile(numbers[:, j], len(drawn))
        anew = codec.numbers_of(drawn, points=False, given=given)[j]
        both[len(numbers) :, j] = np.where(np.isfinite(anew), anew, own)
        scores = _scores(model, codec, both, n_draws) - codec.log_units_of(both).sum(axis=1)
        by_row = np.ascontiguousarray(scores.reshape(-1, len(numbers)).T)  # sums are of each alone
        found.append(by_row[:, 1:].mean(axis=1) - by_row[:, 0])
    return np.stack(found, axis=1)


def _each_without(numbers: np.ndarray) -> Iterator[np.ndarray]:
    """The rows with a hole in one column after the other."""
    for j in range(numbers.shape[1]):
        without = numbers.copy()
        without[:, j] = np.nan
        yield without


def _scores(model: Model, codec: Codec, numbers: np.ndarray, n_draws: int) -> np.ndarray:
    """log p of rows, in the units of X, (rows,)."""
    from skvae.inference import log_likelihood

    x, offset = codec.encoded(numbers)
    return log_likelihood(model, x, n_draws) + offset
