"""The missing cells of rows, given the observed ones."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.special import softmax

from skvae.inference._completions import Completions, Draws, chosen, completions
from skvae.inference._draw import drawn
from skvae.inference._encode import decode
from skvae.inference._noise import last_shifts
from skvae.inference._proposals import weighted_draws
from skvae.model import Model
from skvae.table import Cells

SPREAD = 8  # draws of a cell in its place
FRESH = 4  # of so many completed rows one is taken: draws are of their own


def expected_cells(
    model: Model, x: Cells, n_draws: int, exact: np.ndarray | None = None
) -> np.ndarray:
    """Conditional mean or most likely level of all cells of rows with holes; zeros elsewhere.

    `exact` are the numbers that cells of x stand for, (rows, cells), where there are sums of them.
    """
    return _filled(model, x, n_draws, partial(_expected, model), exact)


def _expected(
    model: Model, x: np.ndarray, draws: Draws, exact: np.ndarray | None = None
) -> np.ndarray:
    if model.network.chain is not None:
        return _expected_of(completions(model, x, draws, exact=exact))
    raw = np.concatenate(list(decode(model, draws.z.reshape(-1, draws.z.shape[-1]))))
    w, weights = model.learned()["likelihood"], softmax(draws.log_w, axis=1).T
    likelihood, raw = model.network.likelihood, raw.reshape(*weights.shape, -1)
    return likelihood.point_of_mixture(w, raw, weights)


def drawn_cells(
    model: Model, x: Cells, n_draws: int, rng: np.random.Generator, times: int = 1
) -> Iterator[np.ndarray]:
    """Draws of all cells of the rows with holes, so many times; zeros elsewhere."""
    own = _drawn if model.network.chain is None else _completed
    read = partial(own, model, rng=rng, times=times)
    yield from np.split(_filled(model, x, n_draws, read, times=times), times, axis=1)


def cells_spread(model: Model, x: Cells, n_draws: int) -> np.ndarray:
    """Draws of all cells of rows with holes, evenly spread over completed rows by their weights.

    They are (SPREAD, rows, cells), of cells that see each other, and depend on each row alone.
    """
    found = _filled(model, x, n_draws, partial(_spread, model), times=SPREAD)
    return np.stack(np.split(found, SPREAD, axis=1))


def _spread(model: Model, x: np.ndarray, draws: Draws) -> np.ndarray:
    """Some of the completed rows, (rows, SPREAD * cells)."""
    full = completions(model, x, draws)
    places = chosen(full.log_w, SPREAD, last_shifts(x, draws.z.shape[-1]))
    return full.x[np.arange(len(x))[:, None], places].reshape(len(x), -1)


def _drawn(
    model: Model, x: np.ndarray, draws: Draws, rng: np.random.Generator, times: int
) -> np.ndarray:
    """Cells at draws of z, (rows, times * cells)."""
    rows, once = np.arange(len(x)), []
    for _ in range(times):
        z = draws.z[_chosen(draws.log_w, rng)[:, 0], rows]
        once.append(np.concatenate(list(drawn(model, z, rng))))
    return np.hstack(once)


def _completed(
    model: Model, x: np.ndarray, draws: Draws, rng: np.random.Generator, times: int
) -> np.ndarray:
    """A few of the completed rows, which all differ, and of others after these.

    They are (rows, times * cells).
    """
    rows, once = np.arange(len(x))[:, None], list[np.ndarray]()
    while len(once) < times:
        full = completions(model, x, draws, rng)
        some = min(times - len(once), max(1, full.x.shape[1] // FRESH))
        once += list(full.x[rows, _chosen(full.log_w, rng, some)].swapaxes(0, 1))
    return np.hstack(once)


def _chosen(log_w: np.ndarray, rng: np.random.Generator, n: int = 1) -> np.ndarray:
    """Places of n draws of each row, all different, by their weights (rows, draws), (rows, n)."""
    return (log_w + rng.gumbel(size=log_w.shape)).argpartition(-n, axis=1)[:, -n:]


def _expected_of(full: Completions) -> np.ndarray:
    """What a mixture of the distributions that cells were drawn from expects, cell by cell."""
    weights, cells = softmax(full.log_w, axis=1), dict[tuple, list]()
    n_draws, expected = full.x.shape[1], full.x[:, 0].astype(np.float64)
    for cell in full.cells:
        place = cell.stands_for[0] if cell.stands_for else cell.cell
        cells.setdefault((cell.cell, place), []).append(cell)
    for (_, j), blocks in cells.items():
        rows = np.concatenate([block.rows for block in blocks])[::n_draws] // n_draws
        raw = np.concatenate([block.raw for block in blocks])
        raw = raw.reshape(len(rows), n_draws, -1).swapaxes(0, 1)
        points = blocks[0].likelihood.point_of_mixture(blocks[0].w, raw, weights[rows].T)
        expected[rows, j] = points[:, 0]
        if blocks[0].stands_for is not None:
            _, _, slope = blocks[0].stands_for
            shift = np.concatenate([block.stands_for[1] for block in blocks])
            shift = (weights[rows] * shift.reshape(len(rows), n_draws)).sum(axis=1)
            expected[rows, j] = shift + slope * expected[rows, j]
    return expected


def _filled(
    model: Model,
    x: Cells,
    n_draws: int,
    read: Callable,
    exact: np.ndarray | None = None,
    times: int = 1,
) -> np.ndarray:
    """What `read` makes of weighted draws of z, of rows with holes; zeros elsewhere.

    Holes of columns with one value alone have no part in the model.
    """
    holes = np.flatnonzero(x.rows_with_holes(model.learned()["cells"]["varies"] > 0))
    filled, holed = np.zeros((len(x), times * x.shape[1])), x.take(holes)
    for rows, draws in weighted_draws(model, holed, n_draws):
        more = () if exact is None else (exact[holes[rows]],)
        filled[holes[rows]] = read(holed.take(rows)[:], draws, *more)
    return filled
