"""The user's table and the encoded cells, in both directions."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from scipy.sparse import vstack

from skvae._memory import aligned
from skvae.likelihoods._base import Column, Likelihood, Size
from skvae.likelihoods._mixed import Mixed
from skvae.likelihoods._slots import padded
from skvae.table._cells import Cells, Dense, Sparse, differing
from skvae.table._columns import Feature, Levels, format_of, kind_of
from skvae.table._input import IN_CACHE, NUMBERS, Rows, parts

MANY = 20_000  # slots beyond which each training step is slow
LARGEST = 1e15  # scaled numbers beyond it would overflow float32 when squared


class Encoded(NamedTuple):
    """Cells that the network works on, and what turns their nats into nats in the units of X."""

    x: Cells
    offset: np.ndarray  # (rows,) log |dx / dX|


class Scaling(NamedTuple):
    """How numbers become cells, by column."""

    center: np.ndarray
    scale: np.ndarray
    slope: np.ndarray  # log |dx / dX|
    varies: np.ndarray
    zero_is_atom: np.ndarray  # where a 0 counts with its probability
    slots: tuple  # columns whose features place them

    @classmethod
    def of(cls, features: tuple) -> "Scaling":
        center, scale, varies = (
            np.array([getattr(f, name) for f in features]) for name in ("center", "scale", "varies")
        )
        atoms = varies & np.array([feature.likelihood.zero_is_atom for feature in features])
        slots = tuple(j for j, feature in enumerate(features) if feature.has_slots)
        return cls(center, scale, np.where(varies, -np.log(scale), 0.0), varies, atoms, slots)


@dataclass(frozen=True)
class Codec:
    """What fit saw of the table: everything needed to encode rows and to restore them."""

    names: tuple
    template: Any  # the frame without its rows, or the dtype of an array
    features: tuple[Feature, ...]  # in the user's order
    likelihood: Mixed
    order: np.ndarray  # columns sorted into runs of equal likelihoods
    scaling: Scaling

    @classmethod
    def learn(cls, rows: Rows, choose: Callable) -> "Codec":
        """Read the schema of the rows, and the places, scales, grids and levels of their columns."""
        features, wrong = [], []
        for name, column in rows.columns():
            kind = kind_of(column)
            likelihood = choose(name, kind)
            _check_labels(name, column, kind, likelihood)
            format_ = format_of(kind, likelihood)
            if not likelihood.over_levels:
                numbers = format_.read(column)
                _check_range(name, numbers)
                bad = _unsupported(numbers[:, None], likelihood)
                if bad:
                    wrong += [(name, likelihood, *bad[0][1:])]
                    continue
            learned = format_.learn(column)
            numbers = learned.read(column) if likelihood.over_levels else numbers
            features.append(Feature.learn(column, numbers, learned, likelihood))
        _check_supported(wrong)
        likelihoods = [feature.likelihood for feature in features]
        kinds = [likelihood for i, likelihood in enumerate(likelihoods) if likelihood not in likelihoods[:i]]
        block = np.array([kinds.index(likelihood) for likelihood in likelihoods])
        slots = [feature.column().n_slots for feature in features]
        _warn_of_many(slots, rows.names)
        slots = np.bincount(block, slots)
        room = [padded(int(n)) if kind.has_slots else 0 for kind, n in zip(kinds, slots, strict=True)]
        return cls(
            names=rows.names,
            template=rows.given.dtype if rows.frame is None else rows.frame.head(0).to_native(),
            features=tuple(features),
            likelihood=Mixed(tuple(kinds), tuple(map(Size, np.bincount(block).tolist(), room))),
            order=np.argsort(block, kind="stable"),
            scaling=Scaling.of(features),
        )

    @property
    def varies(self) -> np.ndarray:
        """Whether each column has more than one value, (columns,) in the user's order."""
        return self.scaling.varies

    def _runs(self) -> list[np.ndarray]:
        """The columns of each kind of likelihood."""
        return np.split(self.order, np.cumsum([size.cells for size in self.likelihood.sizes[:-1]]))

    def columns(self) -> list[Column]:
        """What each cell's likelihood is told of its column."""
        return [self.features[j].column() for j in self.order]

    def likelihoods(self) -> list[Likelihood]:
        """The likelihood of each column, in the user's order."""
        return [feature.likelihood for feature in self.features]

    def has_schema_of(self, other: "Codec") -> bool:
        """Whether columns have the names, kinds and likelihoods of another table's, and vary where they did not."""
        formats = [[feature.format.kind for feature in table.features] for table in (self, other)]
        same = self.names == other.names and self.likelihoods() == other.likelihoods() and formats[0] == formats[1]
        return same and not (self.varies & ~other.varies).any()

    def encode(self, rows: Rows, *, supported: bool = False) -> Encoded:
        """Cells of the rows; a ValueError where a value cannot have come from its column's likelihood.

        `supported` tells that this has been checked.
        """
        formats = [feature.format for feature in self.features]
        if rows.sparse:
            zeros = np.zeros((1, len(self.names)), rows.given.dtype)
            with np.errstate(all="ignore"):  # zeros may lie outside of the support, where there are none
                base = self._placed(_numbers(Rows(rows.names, None, zeros, zeros), formats))[0][0].astype(np.float32)
        x, offset = [] if rows.sparse else aligned((rows.n, len(self.names))), np.empty(rows.n)
        cheap = rows.frame is None and not rows.sparse and not self.scaling.slots
        for part in parts(rows.n, len(self.names), IN_CACHE if cheap else NUMBERS):
            numbers = _numbers(rows.part(part), formats)
            if not supported:
                self._check_support(numbers, part.start)
            cells, offset[part] = self._placed(numbers)
            if rows.sparse:
                x.append(differing(cells.astype(np.float32), base))
            else:
                x[part] = cells
        return Encoded(Sparse(vstack(x, format="csr"), base) if rows.sparse else Dense(x), offset)

    def _placed(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of numbers in the user's order of columns, and log |dx / dX| of each row."""
        center, scale, slope, varies, zero_is_atom, slots = self.scaling
        with np.errstate(over="ignore"):  # clipped
            cells = (numbers - center) / scale
        np.clip(cells, -LARGEST, LARGEST, out=cells)
        if not varies.all():
            cells[:, ~varies] *= 0.0  # a hole stays a hole
        if slots or zero_is_atom.any() or np.isnan(cells.sum()):
            log_slope = np.where(np.isnan(cells) | (zero_is_atom & (numbers == 0)), 0.0, slope)
            for j in slots:
                cells[:, j], log_slope[:, j] = self.features[j].place(numbers[:, j])
            log_slope = log_slope.sum(axis=1)
        else:
            log_slope = np.full(len(cells), slope.sum())
        order = slice(None) if len(self.likelihood.likelihoods) == 1 else self.order
        return cells[:, order], log_slope

    def _check_support(self, numbers: np.ndarray, first: int) -> None:
        """Raise a ValueError where a number cannot have come from its column's likelihood, from row `first` on."""
        wrong = []
        for likelihood, columns in zip(self.likelihood.likelihoods, self._runs(), strict=True):
            if not likelihood.over_levels:
                own = numbers if len(columns) == len(self.names) else numbers[:, columns]
                wrong += [
                    (columns[j], likelihood, first + row, value) for j, row, value in _unsupported(own, likelihood)
                ]
        wrong.sort(key=lambda cell: cell[0])
        _check_supported([(self.names[j], *cell) for j, *cell in wrong])

    def warn_of_unseen(self, rows: Rows) -> None:
        """Say, once for all columns, which levels are not known and therefore treated as missing."""
        places = [j for j in self.scaling.slots if self.features[j].likelihood.over_levels]
        rows, found = rows.by_column() if places else rows, []
        for j in places:
            column = rows.series(j)
            new = self.features[j].format.read(column) < 0
            found += [f"{column[int(np.argmax(new))]!r} in column {self.names[j]!r}"] if new.any() else []
        if found:
            warnings.warn(f"Levels that were not seen in fit are treated as missing: {', '.join(found)}.", stacklevel=4)

    def decode(self, blocks: Iterable[np.ndarray], n: int, *, points: bool = False, like: Any = None) -> Any:
        """Blocks of cells of n rows, or of the points of likelihoods, as a table like that of fit.

        A pandas index is that of `like`, repeated as needed.
        """
        if isinstance(self.template, np.dtype) and all(feature.is_scaled(points) for feature in self.features):
            return self._scaled(blocks, n)
        cells = np.empty((n, len(self.names)))
        cells[:, self.order] = np.concatenate(list(blocks))
        columns = [feature.restore(cells[:, j], points=points) for j, feature in enumerate(self.features)]
        return self.assembled(columns, n, like)

    def _scaled(self, blocks: Iterable[np.ndarray], n: int) -> np.ndarray:
        """An array with no more in memory than it takes and a block."""
        restored, start = np.empty((n, len(self.names)), self.template), 0
        for block in blocks:
            cells = np.empty(block.shape)
            cells[:, self.order] = block
            restored[start : start + len(block)] = self.scaling.center + self.scaling.scale * cells
            start += len(block)
        return restored

    def observed(self, x: np.ndarray) -> np.ndarray:
        """Which cells are no holes, (rows, columns) in the user's order."""
        observed = np.empty(x.shape, bool)
        observed[:, self.order] = ~np.isnan(x)
        return observed

    def assembled(self, columns: list, n: int, like: Any) -> Any:
        """Native columns as a table like that of fit."""
        if isinstance(self.template, np.dtype):
            return np.column_stack([np.asarray(column) for column in columns]).astype(self.template)
        if not hasattr(self.template, "iloc"):
            return nw.from_dict(dict(zip(self.names, columns, strict=True)), backend=_backend(columns[0])).to_native()
        frame = pd.concat([pd.Series(column).reset_index(drop=True) for column in columns], axis=1)
        frame.columns = self.template.columns
        if hasattr(like, "iloc"):
            frame.index = like.index.take(np.arange(n) % len(like))
        return frame


def _warn_of_many(slots: list[int], names: tuple) -> None:
    if sum(slots) > MANY:
        widest = int(np.argmax(slots))
        warnings.warn(
            f"Labels and whole numbers take {sum(slots)} different values and bins in all ({slots[widest]} in column "
            f"{names[widest]!r}): the model will be large and slow. Drop identifiers; for whole numbers that measure "
            "something, set likelihood='gaussian' or give floats.",
            stacklevel=6,
        )


def _check_labels(name: Any, column: nw.Series, kind: str, likelihood: Likelihood) -> None:
    textual = kind in ("category", "ordered") and not column.is_null().all()
    if textual and not likelihood.over_levels:
        raise ValueError(
            f"Column {name!r} holds labels (dtype {column.dtype}), but {type(likelihood).__name__} needs "
            f"{likelihood.support}; leave it to likelihood='auto', or give {{{name!r}: 'categorical'}}."
        )


def _numbers(rows: Rows, formats: list) -> np.ndarray:
    """The numbers of all columns, (rows, columns): NaN in a hole, -1 for an unseen level."""
    numbers = (
        np.full((rows.n, len(formats)), np.nan) if rows.frame is not None else rows.values.astype(np.float64, order="C")
    )
    for j, format_ in enumerate(formats):
        if rows.frame is not None or isinstance(format_, Levels):
            numbers[:, j] = format_.read(rows.series(j))
    return numbers


def _backend(column: Any) -> Any:
    return nw.from_native(column, series_only=True).implementation


def _check_range(name: Any, numbers: np.ndarray) -> None:
    low, high = np.nanmin(numbers, initial=np.inf), np.nanmax(numbers, initial=-np.inf)
    with np.errstate(over="ignore"):
        wide = high > low and not np.isfinite(high - low)
    if wide:
        raise ValueError(
            f"Column {name!r} ranges from {low:.3g} to {high:.3g}, which float64 cannot subtract; divide it."
        )


def _unsupported(numbers: np.ndarray, likelihood: Likelihood) -> list[tuple]:
    """Numbers (rows, columns) that a likelihood cannot give: column, row and value of the smallest of each column."""
    fits = likelihood.supports(numbers)
    if fits.all():
        return []
    bad, found = ~fits & ~np.isnan(numbers), []
    for j in np.flatnonzero(bad.any(axis=0)):
        rows = np.flatnonzero(bad[:, j])
        row = rows[numbers[rows, j].argmin()]
        found.append((j, row, numbers[row, j]))
    return found


def _check_supported(wrong: list[tuple]) -> None:
    """Raise a ValueError for the smallest bad value of a column: of the first one with a negative value, if any."""
    if not wrong:
        return
    negative = [cell for cell in wrong if cell[1].positive_only and cell[3] < 0]
    name, likelihood, row, value = (negative or wrong)[0]
    raise ValueError(
        ("Negative values in data: " if negative else "")
        + f"{type(likelihood).__name__} needs {likelihood.support}, but column {name!r} has {value:.6g} (row {row}). "
        "Choose another likelihood, such as likelihood='gaussian', or transform that column."
    )
