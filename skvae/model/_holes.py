"""Which cells of a row are missing: a factor of its own, given the cells that are not."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skvae._math import ops, take

UNITS = 32  # of a cell's own layer


@dataclass(frozen=True)
class Holes:
    """p(which cells are missing | the others), one cell after the other.

    A cell is missing or not given the cells that never are, those of the ones before it that are
    not, and which of those are. It says nothing of their values, so that scores do not know it.
    """

    cells: tuple[int, ...]  # that may be missing, in the order in which they are decided
    n_cells: int

    def init(self, rng: np.random.Generator, state: int) -> dict:
        """Random arrays to start training from; cells say `state` numbers each."""
        k = len(self.cells)
        scale = (2 / state) ** 0.5
        arrays = {
            "hole": 0.5 * rng.standard_normal((k, state)),
            "read": scale * rng.standard_normal((k, state, UNITS)),
            "bias": np.zeros((k, 1, UNITS)),
            "out": 0.1 * UNITS**-0.5 * rng.standard_normal((k, UNITS, 1)),
        }
        return {name: array.astype(np.float32) for name, array in arrays.items()}

    def log_prob(self, w: dict, x: Any, said: Any, missing: Any) -> Any:
        """Of which cells of rows are missing (rows, cells), (rows,).

        `said` (cells, rows, state) is what the cells of x (rows, cells) say.
        """
        logits = self.logits(w, x, said, missing)
        missing = ops.transpose(take(missing, self.cells, axis=1))
        return ops.sum(missing * logits - ops.softplus(logits), axis=0)

    def logits(self, w: dict, x: Any, said: Any, missing: Any) -> Any:
        """Of being missing, (cells that may be, rows), where it is known of those before.

        Of sums it may know nothing: they are missing where one of their cells is.
        """
        n = self.n_cells
        x, said, missing = x[:, :n], said[:n], missing[:, :n]
        hidden = ops.relu(ops.matmul(self._known(w, said, missing), w["read"]) + w["bias"])
        return ops.matmul(hidden, w["out"])[..., 0] + self._starts(w, x, missing)

    def _starts(self, w: dict, x: Any, missing: Any) -> Any:
        """Log-odds by the code of the one cell before that tells most, (cells, rows)."""
        parents, holes = ops.cast(w["parent"], "int32"), take(missing, self.cells, axis=1)
        codes = take(ops.concatenate([ops.floor(x), holes], axis=1), parents, axis=1)
        known = ops.concatenate([1.0 - missing, ops.ones_like(holes)], axis=1)
        row = ops.where(take(known, parents, axis=1) > 0, 1.0 + codes, 0.0)
        n_cells, n = w["table"].shape
        place = ops.clip(row, 0, n - 1) + n * np.arange(n_cells, dtype=np.float32)
        found = take(ops.reshape(w["table"], (-1,)), ops.cast(place, "int32"))
        return ops.transpose(found)

    def _known(self, w: dict, said: Any, missing: Any) -> Any:
        """The sum of what is said before each cell that may be missing, (cells, rows, state)."""
        missing = ops.expand_dims(ops.transpose(take(missing, self.cells, axis=1)), -1)
        holes = missing * ops.expand_dims(w["hole"], 1)
        own = holes + (1.0 - missing) * take(said, self.cells, axis=0)
        before = np.tri(len(self.cells), k=-1, dtype=np.float32)
        always = np.setdiff1d(np.arange(self.n_cells), self.cells)
        others = ops.sum(take(said, always, axis=0), axis=0)
        return ops.einsum("ij,jrs->irs", before, own) + others
