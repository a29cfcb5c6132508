"""One column of the user's table: what fit learned of it, from its cells to numbers, and back."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skvae.likelihoods._base import Column, Likelihood, Placement
from skvae.table._series import Dtype
from skvae.table._values import Values, short


@dataclass(frozen=True)
class Feature:
    """What fit learned of a column."""

    name: Any
    dtype: Dtype
    format: Any  # Numbers, Times or Levels
    likelihood: Likelihood
    n_observed: int
    varies: bool  # a column of one value has no part in the model
    constant: float | None = None  # the number of that one value; None where there is none
    center: float = 0.0  # X = center + scale * x where there is no placement
    scale: float = 1.0
    placement: Placement | None = None

    @classmethod
    def learn(
        cls,
        name: Any,
        column: Values,
        format_: Any,
        numbers: np.ndarray,
        likelihood: Likelihood,
        min_count: int,
    ) -> "Feature":
        """What to know of a column that reads as these numbers in a format learned from it."""
        observed = numbers[~column.holes] if column.holes.any() else numbers
        n = len(observed)
        if likelihood.over_levels:
            observed = observed[observed >= 0]
        enough = len(observed) >= max(1, min_count)
        varies = enough and observed.min() < observed.max()
        constant = float(observed[0]) if enough and not varies else None
        feature = cls(name, column.dtype, format_, likelihood, n, bool(varies), constant)
        if not varies or likelihood.over_levels:
            return feature
        placement = likelihood.placement(observed, min_count)
        near = observed if placement is None else observed.clip(*placement.near)
        center, scale = likelihood.location_and_scale(near)
        return replace(feature, center=center, scale=scale, placement=placement)

    def __getstate__(self) -> dict:
        """Without categories that no row used: they may tell of rows the model never saw."""
        seen = set(getattr(self.format, "levels", ()))
        used = [level for level in self.dtype.get("levels") or () if level in seen]
        return vars(self) | {"dtype": self.dtype.with_levels(used)}

    @property
    def has_levels(self) -> bool:
        return self.varies and self.likelihood.over_levels

    @property
    def is_placed(self) -> bool:
        """Whether its cells are no scaled numbers."""
        return self.has_levels or self.placement is not None

    @property
    def log_new(self) -> float:
        """Log-probability of a value that fit never saw: as if one more row had it."""
        return np.log(1 / (self.n_observed + 1))

    def column(self) -> Column:
        """What the likelihood is told of it; a column of one value has one slot."""
        if not self.varies:
            return Column(1, np.zeros(1)) if self.likelihood.has_slots else Column()
        if self.likelihood.over_levels:
            return Column(len(self.format.levels))
        if self.placement is None:
            return Column()
        points = (self.placement.points() - self.center) / self.scale
        return Column(self.placement.n_slots, points)

    def read(self, column: Values) -> np.ndarray:
        """Its numbers, NaN in a hole, -1 for an unseen level; a ValueError for other cells."""
        misfits = self.format.misfits(column)
        if misfits is not None:
            raise ValueError(
                f"Column {short(self.name)} held {self.format.words} in fit, but now has "
                f"{column.first(misfits)} (row {np.argmax(misfits)}, dtype {column.dtype.shown}); "
                f"{self.format.advice}."
            )
        return self.format.read(column)

    def place(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of a placed column, and log |dx / dX|: of a level, the share of seen ones."""
        seen = ~np.isnan(numbers)
        cells, log_slope = np.full_like(numbers, np.nan), np.zeros_like(numbers)
        if self.placement is not None:
            cells[seen], log_slope[seen] = self.placement.encode(numbers[seen])
            return cells, log_slope
        known = seen & (numbers >= 0)
        cells[known] = numbers[known]
        log_slope[known] = np.log1p(-1 / (self.n_observed + 1))
        log_slope[seen & ~known] = self.log_new
        return cells, log_slope

    def log_units(self, numbers: np.ndarray) -> np.ndarray:
        """log |dx / dX| of a placed column's numbers, where it is above that of scaled ones.

        So values count as in the density where they are rare. Values with probabilities have no
        units.
        """
        if self.placement is None:
            return np.zeros_like(numbers)
        log_slope = np.maximum(self.place(numbers)[1], -np.log(self.scale))
        has_none = np.isnan(numbers) | np.isin(numbers, self.placement.atoms)
        return np.where(has_none, 0.0, log_slope)

    @property
    def is_plain(self) -> bool:
        """Whether its numbers are what it held, as they are."""
        return self.varies and self.format.kind == "float" and self.format.decimals is None

    def restore(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Numbers as the column of fit held them, and holes, if any."""
        if not self.varies and self.constant is None:
            return np.full(len(numbers), None, object), np.ones(len(numbers), bool)
        return self.format.restore(numbers, self.dtype), None

    def numbers(self, cells: np.ndarray, points: bool) -> np.ndarray:
        """What cells stand for; points are scaled numbers."""
        if not self.varies:
            return np.full(len(cells), 0.0 if self.constant is None else self.constant)
        with np.errstate(over="ignore"):
            if self.placement is None or points:
                return self.center + self.scale * cells
            return self.placement.decode(cells)
