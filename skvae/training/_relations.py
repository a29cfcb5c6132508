"""What one cell tells of another: tables of pairs from which cells that see each other start.

Where one column determines another, a network has to learn a table by heart, and has overfitted all
else before it does. So each cell starts from its shares given the best single cell before it, as in
a tree of dependence (Chow, Liu 1968, Approximating discrete probability distributions with
dependence trees), smoothed as leave-one-out likelihood likes best.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.special import xlogy

from skvae._shares import smoothed
from skvae.likelihoods import Likelihood
from skvae.likelihoods._base import Column
from skvae.model import PARENTS, Chain, Joint, Runs, alone
from skvae.table import Cells

LEAST_ROWS, MOST_ROWS = 2000, 100_000
WORK = 2e8  # most sums of pairs
DENSE = 0.01  # what one of a dense product takes of one of a sparse product
LEAST = 0.005  # nats a row that a parent tells at least
CANDIDATES = 3 * PARENTS  # that are looked at closely


class Relation(NamedTuple):
    """What a cell tells of another."""

    gain: float  # nats a row
    log_probs: np.ndarray  # (codes of the parent, codes)
    parent: int


def code_counts(joint: Joint, columns: list[Column]) -> np.ndarray:
    """How many codes each cell has; 0 where its values are none."""
    kinds = [kind for kind, size in joint.parts() for _ in range(size.cells)]
    return np.array([kind.n_codes(column) for kind, column in zip(kinds, columns, strict=True)])


def starts(chain: Chain, w: dict, related: list[list[Relation]]) -> dict[str, Any]:
    """The constants from which the cells of a chain start; `w` has those of its likelihoods."""
    kinds = [kind for kind, size in chain.joint.parts() for _ in range(size.cells)]
    own = np.arange(len(kinds), dtype=np.float32)
    parent, row = np.tile(own[:, None], PARENTS), np.zeros((len(kinds), PARENTS), np.float32)
    tables = []
    for part, spans in enumerate(chain.spans):
        for span in spans:
            high = []
            for j in range(*span[:2]):
                arrays = chain.alone(w, j, part)
                table, parents, rows = _table(kinds[j], arrays, span.slots, related[j])
                parent[j, : len(parents)], row[j, : len(rows)] = parents, rows
                high.append(table)
            tables.append(_as_high(high))
    return {"parent": parent, "row": row, "table": tables}


def _table(
    kind: Likelihood, w: dict, slots: int, related: list[Relation]
) -> tuple[np.ndarray, list, list]:
    """Raw numbers for none and for the codes of each parent, the parents, and their first rows."""
    runs = Runs.of(kind.n_raw, alone(slots))
    blocks, parents, rows = [np.zeros((1, runs.width(slots)))], [], []
    for relation in related:
        block = kind.raw_of(w, relation.log_probs)
        if block is not None:
            parents.append(relation.parent)
            rows.append(sum(map(len, blocks)))
            blocks.append(block[:, runs.places(slots)])
    return np.concatenate(blocks), parents, rows


def _as_high(tables: list[np.ndarray]) -> np.ndarray:
    """Tables as one array, the lower ones filled up with zeros."""
    filled = np.zeros((len(tables), max(map(len, tables)), tables[0].shape[1]), np.float32)
    for own, table in zip(filled, tables, strict=True):
        own[: len(table)] = table
    return filled


def relations(
    x: Cells, sizes: np.ndarray, fewest: int, rng: np.random.Generator, sums: tuple = ()
) -> list[list[Relation]]:
    """The best parents of each cell, the best first; `sizes` counts the codes of each, or is 0.

    Pairs of fewer rows are not kept, and the last cells, which are sums of others, are not taken
    with these.
    """
    some = x.take(rng.permutation(len(x))[: _n_rows(sizes)])
    codes = np.stack([_codes(column, n) for column, n in zip(some.T, sizes, strict=True)], axis=1)
    sizes = np.where((codes >= 0).any(axis=0), sizes, 0)
    if not sizes.any():
        return [[] for _ in sizes]
    counts = _pair_counts(codes, sizes)
    counts[counts < fewest] = 0.0
    gains, first = _gains(counts, sizes, sums), np.cumsum(sizes) - sizes
    places = [slice(start, start + n) for start, n in zip(first, sizes, strict=True)]
    found = []
    for j, place in enumerate(places):
        near = []
        for i in np.argsort(-gains[:, j], kind="stable")[:CANDIDATES]:
            if gains[i, j] > LEAST:
                rows = np.diag(counts[place, place])
                near.append(Relation(*smoothed(counts[places[i], place], rows), i))
        near.sort(key=lambda relation: -relation.gain)
        found.append([relation for relation in near[:PARENTS] if relation.gain > LEAST])
    return found


def _gains(counts: np.ndarray, sizes: np.ndarray, sums: tuple) -> np.ndarray:
    """Nats a row that a cell tells of another, (cells, cells); 0 where it never comes before."""
    gains = _mutual_information(counts, sizes)
    for k, members in enumerate(sums, len(sizes) - len(sums)):
        gains[k, [cell for cell, _ in members]] = gains[members[-1][0], k] = 0.0
    return gains


def _codes(column: np.ndarray, n: int) -> np.ndarray:
    """The codes of cells, -1 in holes, and in all where they are no codes."""
    codes = np.floor(np.where(np.isnan(column), -1.0, column)).astype(np.int32)
    whole = n and codes.max(initial=-1) < n
    return codes if whole else np.full(len(column), -1, np.int32)


def _work(sizes: np.ndarray) -> tuple[Any, Any]:
    """Sums of pairs for a row, in a sparse product and in a dense one."""
    return np.count_nonzero(sizes) ** 2, DENSE * sizes.sum() ** 2


def _n_rows(sizes: np.ndarray) -> int:
    return int(min(MOST_ROWS, max(LEAST_ROWS, WORK / max(1.0, min(_work(sizes))))))


def _pair_counts(codes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """In how many rows codes come together, (codes, codes) over the codes of all cells."""
    rows, cells = np.nonzero(codes >= 0)
    places = (np.cumsum(sizes) - sizes)[cells] + codes[rows, cells]
    ones = np.ones(len(rows), np.float32), (rows, places)
    ones, (sparse, dense) = csr_array(ones, shape=(len(codes), sizes.sum())), _work(sizes)
    if dense < sparse:
        ones = ones.toarray()
        return ones.T @ ones
    return (ones.T @ ones).toarray()


def _mutual_information(counts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Of cells in nats a row, less its bias (Miller 1955), (cells, cells); 0 of one with itself."""
    held = np.flatnonzero(sizes)
    edges = (np.cumsum(sizes) - sizes)[held]

    def summed(array: np.ndarray, axis: int) -> np.ndarray:
        return np.add.reduceat(array, edges, axis=axis, dtype=np.float64)

    by_code = summed(counts, 1)  # where the other cell is no hole, (codes, cells)
    together = summed(summed(xlogy(counts, counts), 1), 0)
    alone = summed(xlogy(by_code, by_code), 0)
    rows = np.maximum(summed(by_code, 0), 1.0)
    bias = np.outer(sizes[held] - 1, sizes[held] - 1) / 2
    information = np.zeros((len(sizes), len(sizes)))
    own = (together - alone - alone.T + xlogy(rows, rows) - bias) / rows
    np.fill_diagonal(own, 0.0)
    information[np.ix_(held, held)] = own
    return information
