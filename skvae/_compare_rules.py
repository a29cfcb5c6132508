"""What always holds between two columns of a real table, and where cells are missing.

Tables are those that `plain` of _compare_tables makes.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from skvae._compare_tables import BOTH, Case
from skvae.display._tables import LABEL

CHANCE = 1e-3  # of finding any rule at all in a table of independent columns
SCREEN = 1000  # rows that rule most pairs out
BROKEN = 0.01  # share of rows that would break an order, at least, if columns were independent


class Rule(NamedTuple):
    """What may hold between two columns, given as numbers or codes, NaN in holes."""

    name: str
    holds: Callable  # of cells, the number of a column and those of others: for which it does
    evidence: Callable  # of two columns: how many rows say so, and the log of chance's share
    kept: Callable  # of the real rows, others and two columns: in which of the others it does

    def found(self, names: list, cells: np.ndarray, most: float) -> Iterator[tuple]:
        """The pairs of columns for which it holds by no chance, the log of which is below most."""
        for j, i in self.pairs(cells):
            a, b = cells[:, [j, i]][~np.isnan(cells[:, [j, i]]).any(axis=1)].T
            n, log_chance = self.evidence(a, b) if len(a) else (0, 0.0)
            if log_chance < most:
                yield names[j], self.name, names[i], n

    def pairs(self, cells: np.ndarray) -> Iterator[tuple]:
        """The pairs for which it holds in all rows."""
        for j in range(cells.shape[1]):
            others = np.delete(np.arange(cells.shape[1]), j)
            for rows in (cells[:SCREEN], cells):
                others = others[self.holds(rows, j, others)]
            yield from ((j, i) for i in others)


def _tells(cells: np.ndarray, j: int, others: np.ndarray) -> np.ndarray:
    """Which other columns have one value alone for each value of column j."""
    rows = np.flatnonzero(~np.isnan(cells[:, j]))
    rows = rows[np.argsort(cells[rows, j], kind="stable")]
    if not rows.size:
        return np.zeros(len(others), bool)
    starts = np.flatnonzero(np.diff(cells[rows, j], prepend=-1.0))
    values = cells[np.ix_(rows, others)]
    least, most = (part.reduceat(values, starts) for part in (np.fmin, np.fmax))
    return np.logical_not((least < most).any(axis=0))  # NaN: no cells


def _repeats(a: np.ndarray, b: np.ndarray) -> tuple[int, float]:
    """Rows whose a came before, and the log of the chance that independent b agree in all."""
    b = b.astype(int)
    log_share = np.log(np.bincount(b)[b] / len(b))
    first = np.unique(a, return_index=True)[1]
    return len(a) - len(first), log_share.sum() - log_share[first].sum()


def _as_told(real: pd.DataFrame, rows: pd.DataFrame, a: str, b: str) -> pd.Series:
    """Of rows whose a the real table has: where b is as there."""
    known = real[[a, b]].dropna().drop_duplicates(a).set_index(a)[b]
    rows = rows[rows[a].isin(known.index)]
    return rows[a].map(known) == rows[b]


def _orders(a: np.ndarray, b: np.ndarray) -> tuple[int, float]:
    """Rows with both, and the log of the chance that independent ones are in order in all."""
    chance = np.searchsorted(np.sort(a), b, side="right").mean() / len(a)
    return len(a), len(a) * np.log(chance) if chance <= 1 - BROKEN else 0.0


DETERMINES = Rule("determines", _tells, _repeats, _as_told)
AT_MOST = Rule(
    "is at most",
    lambda cells, j, others: ~(cells[:, [j]] > cells[:, others]).any(axis=0),
    _orders,
    lambda _, rows, a, b: rows[a] <= rows[b],
)
RULES = {rule.name: rule for rule in (DETERMINES, AT_MOST)}


def dependence(case: Case) -> pd.DataFrame:
    """The rules of the real table, and the share of rows of the others that keep each."""
    most = np.log(CHANCE / len(case.kinds) ** 2)
    codes = case.real.rank(method="dense")
    found = [*DETERMINES.found([*codes], codes.to_numpy(), most)]
    for kind in sorted({*case.kinds.values()} - {LABEL}):
        names = [name for name in case.kinds if case.kinds[name] == kind]
        found += AT_MOST.found(names, case.real[names].to_numpy(), most)
    table = pd.DataFrame(found, columns=["column 1", "rule", "column 2", "rows"])
    shares = [
        case.beside(_share_kept(RULES[rule], a, b))
        for a, rule, b in table.iloc[:, :3].itertuples(index=False)
    ]
    return table.join(pd.DataFrame(shares, table.index, BOTH, dtype=float))


def _share_kept(rule: Rule, a: str, b: str) -> Callable:
    """The share of rows that keep a rule, of those with both cells; NaN where there are none."""
    return lambda real, rows: rule.kept(real, rows[[a, b]].dropna(), a, b).mean()


def holes(case: Case) -> pd.DataFrame:
    """The share of rows in which each column is missing, and each two of them together."""
    i, j = np.triu_indices(len(case.kinds))
    names = np.array([*case.kinds], dtype=object)
    table = pd.DataFrame({"column 1": names[i], "column 2": np.where(i == j, "", names[j])})
    for name, rows in zip(["real", *BOTH], case.tables.values(), strict=False):
        table[name] = _missing(rows)[i, j]
    table = table.reindex(columns=[*table.columns[:2], "real", *BOTH])
    table = table[(table.iloc[:, 2:] > 0).any(axis=1)]
    return table.sort_values("column 2", key=lambda x: x != "", kind="stable", ignore_index=True)


def _missing(table: pd.DataFrame) -> np.ndarray:
    """The share of rows in which each two columns are missing together."""
    gaps = table.isna().to_numpy(float)
    return gaps.T @ gaps / len(gaps)
