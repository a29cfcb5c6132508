"""Shares of codes given another column's, from counts that may be few."""

import numpy as np
from scipy.special import xlogy

OWN = 3.0  # nats that a row of a table gains at least by a pseudo-count of its own
PSEUDO_COUNTS = 10.0 ** np.arange(-3, 4, 0.5)


def smoothed(table: np.ndarray, rows: np.ndarray) -> tuple[float, np.ndarray]:
    """Nats a row that a table of counts gains, and its log-probabilities, (codes, codes).

    Rows are drawn towards the shares of all, or towards in how many rows of the table a code is
    found (Kneser, Ney 1995), by one pseudo-count for all or, where that gains enough, their own.
    `rows` counts the codes of all rows.
    """
    table = table.astype(np.float64)
    shares = (rows + 0.5) / (rows + 0.5).sum()
    found = (table > 0).sum(axis=0) + 0.1
    options = [_towards(table, prior) for prior in (shares, found / found.sum())]
    loss, log_probs = min(options, key=lambda option: option[0])
    n = max(table.sum(), 1.0)
    return float(-xlogy(table, shares).sum() - loss) / n, log_probs


def _towards(table: np.ndarray, prior: np.ndarray) -> tuple[float, np.ndarray]:
    """The leave-one-out loss of a table that is smoothed towards a prior, and its logarithms."""
    n, few = table.sum(axis=1, keepdims=True), PSEUDO_COUNTS[:, None, None]
    left = np.maximum(table - 1 + few * prior, 1e-12) / np.maximum(n - 1 + few, 1e-9)
    losses = -xlogy(table, left).sum(axis=-1)  # (pseudo-counts, rows)
    best, shared = losses.argmin(axis=0), losses.sum(axis=1).argmin()
    own = losses.min(axis=0) + OWN < losses[shared]
    chosen = np.where(own, best, shared)
    loss = losses[chosen, np.arange(len(table))].sum() + OWN * own.sum()
    few = PSEUDO_COUNTS[chosen][:, None]
    return loss, np.log((table + few * prior) / (n + few))
