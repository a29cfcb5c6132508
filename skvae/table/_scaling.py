"""How the numbers of all columns become cells at once."""

from typing import NamedTuple

import numpy as np

from skvae.table._formats import Numbers

LARGEST = 1e15  # scaled numbers beyond it would overflow float32 when squared


class Scaling(NamedTuple):
    """How numbers become cells, by column."""

    center: np.ndarray
    scale: np.ndarray
    slope: np.ndarray  # log |dx / dX|
    varies: np.ndarray
    constant: np.ndarray  # the number of a column of one value, NaN elsewhere
    log_new: np.ndarray  # log-probability of another value there
    zero_is_atom: np.ndarray  # where a 0 counts with its probability
    placed: tuple  # columns whose features place them
    read: tuple  # columns of arrays that are no numbers as they stand

    @classmethod
    def of(cls, features: tuple) -> "Scaling":
        """That of what fit learned of each column."""
        varies, scale = _each(features, "varies"), _each(features, "scale")
        atoms = np.array([f.likelihood.zero_is_atom for f in features])
        return cls(
            center=_each(features, "center"),
            scale=scale,
            slope=np.where(varies, -np.log(scale), 0.0),
            varies=varies,
            constant=_each(features, "constant").astype(float),
            log_new=_each(features, "log_new"),
            zero_is_atom=varies & atoms,
            placed=tuple(j for j, f in enumerate(features) if f.is_placed),
            read=tuple(j for j, f in enumerate(features) if not isinstance(f.format, Numbers)),
        )

    @property
    def unknown(self) -> np.ndarray:
        """Columns of which fit saw no cell: they are holes to the model, whatever comes later."""
        return ~self.varies & np.isnan(self.constant)

    def cells(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers (rows, columns) as cells; those of columns that are placed are yet to be."""
        with np.errstate(over="ignore"):  # clipped
            cells = (numbers - self.center) / self.scale
        np.clip(cells, -LARGEST, LARGEST, out=cells)
        if not self.varies.all():
            cells[:, ~self.varies] *= 0.0  # a hole stays a hole
            cells[:, self.unknown] = np.nan
        return cells

    def is_even(self, cells: np.ndarray) -> bool:
        """Whether log |dx / dX| is the same in each row."""
        return not (self.placed or self.zero_is_atom.any() or np.isnan(cells.sum()))

    def log_slopes(self, numbers: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """log |dx / dX| of each number: 0 of holes and of atoms."""
        is_atom = self.zero_is_atom & (numbers == 0)
        return np.where(np.isnan(cells) | is_atom, 0.0, self.slope)

    def log_others(self, numbers: np.ndarray) -> np.ndarray:
        """Log-probability of values other than the one that their columns had in fit, else 0."""
        found, known = np.zeros(numbers.shape), np.flatnonzero(~np.isnan(self.constant))
        own = numbers[:, known]
        differs = (own != self.constant[known]) & ~np.isnan(own)
        found[:, known] = np.where(differs, self.log_new[known], 0.0)
        return found


def _each(features: tuple, name: str) -> np.ndarray:
    return np.array([getattr(feature, name) for feature in features])
