"""Which cells are missing together, and where others say so."""

import numpy as np
from scipy.special import logit

from skvae.table import Cells, Dense
from skvae.training._relations import MOST_ROWS, Relation, relations

MOST_PATTERNS = 1000  # of missing cells, where some are not kept


def patterns(
    x: Cells, sizes: np.ndarray, varies: np.ndarray, fewest: int, rng: np.random.Generator
) -> tuple[tuple[int, ...], dict]:
    """The cells that may be missing, the rarest first, and what is learned once of that.

    Patterns of missing cells that fewer rows have are not kept. `sizes` counts the codes of cells.
    """
    missing = {j: np.isnan(column) for j, column in enumerate(x.T) if varies[j]}
    missing = {j: holes for j, holes in missing.items() if holes.any()}
    if not missing:
        return (), {}
    cells = sorted(missing, key=lambda j: missing[j].sum())
    rows = np.stack([missing[j] for j in cells], axis=1)
    base = logit((rows.sum(axis=0) + 0.5) / (len(x) + 1))
    some = rng.permutation(len(x))[:MOST_ROWS]
    both = Dense(np.hstack([x.take(some)[:], rows[some].astype(np.float32)]))
    counts = np.append(sizes, np.full(len(cells), 2))
    related = relations(both, counts, fewest, rng)[len(sizes) :]
    arrays = _starts(related, cells, base, len(sizes))
    if fewest > 1:
        arrays["kept"] = _often(rows, fewest)
    return tuple(cells), {name: array.astype(np.float32) for name, array in arrays.items()}


def _often(rows: np.ndarray, fewest: int) -> np.ndarray:
    """The patterns that at least so many rows have."""
    found, counts = np.unique(rows, axis=0, return_counts=True)
    often = np.argsort(-counts, kind="stable")[:MOST_PATTERNS]
    return found[often[counts[often] >= fewest]]


def _starts(
    related: list[list[Relation]], cells: list[int], base: np.ndarray, n_cells: int
) -> dict[str, np.ndarray]:
    """For each of the cells the one that tells most of those before it, and log-odds by its codes.

    Numbers from `n_cells` on stand for whether cells are missing. The first of the log-odds is for
    where it is not known.
    """
    always = set(range(n_cells)) - set(cells)
    parents, odds = np.zeros(len(cells)), []
    for i, own in enumerate(related):
        allowed = always | set(cells[:i]) | set(range(n_cells, n_cells + i))
        tells = next((relation for relation in own if relation.parent in allowed), None)
        by_code = np.zeros(0) if tells is None else np.diff(tells.log_probs, axis=1)[:, 0]
        parents[i] = 0 if tells is None else tells.parent
        odds.append(np.append(base[i], by_code))
    table = np.tile(base[:, None], max(map(len, odds)))
    for row, known in zip(table, odds, strict=True):
        row[: len(known)] = known
    return {"parent": parents, "table": table}
