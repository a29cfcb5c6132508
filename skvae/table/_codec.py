"""The user's table and the encoded cells, in both directions."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import mode

from skvae._sklearn import warn
from skvae.likelihoods._base import Column, Likelihood, Size, padded
from skvae.table._cells import Cells, Dense, Sparse
from skvae.table._columns import Feature
from skvae.table._find_sums import found
from skvae.table._formats import format_of
from skvae.table._frames import Frame
from skvae.table._input import IN_CACHE, NUMBERS, Rows, parts
from skvae.table._scaling import Scaling
from skvae.table._series import Dtype
from skvae.table._sums import NONE, Sums
from skvae.table._support import check_labels, check_supported, first_unsupported, unsupported
from skvae.table._values import short

MANY = 20_000  # slots beyond which each training step is slow


class Encoded(NamedTuple):
    """Cells that the network works on, and what travels with them, row by row."""

    x: Cells
    offset: np.ndarray  # (rows,) log |dx / dX|: turns nats of cells into nats in the units of X


@dataclass(frozen=True)
class Codec:
    """What fit saw of the table, as plain data: all that encoding and restoring rows needs."""

    frame: Frame
    features: tuple[Feature, ...]  # in the user's order
    sums: Sums = NONE  # whose cells come after those of the columns

    @classmethod
    def learn(
        cls, rows: Rows, frame: Frame, choose: Callable, min_count: int = 1, sums: bool = False
    ) -> "Codec":
        """Read the schema of the rows, and places, scales, grids and levels of their columns.

        And sums of them, if asked for.
        """
        codec = cls(frame, _features(rows, choose, min_count))
        _warn_of_many(codec._slots, rows.names)
        return codec.with_sums(rows, min_count) if sums else codec

    @cached_property
    def kinds(self) -> tuple[Likelihood, ...]:
        """The likelihoods that differ."""
        return tuple(self._kinds[0])

    @property
    def kind_of(self) -> np.ndarray:
        """The place of each column's likelihood among them."""
        return self._kinds[1]

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """How many cells and slots each of these has."""
        return _sizes(*self._kinds, self._slots)

    @cached_property
    def order(self) -> np.ndarray:
        """Columns sorted into runs of equal likelihoods."""
        return np.argsort(self.kind_of, kind="stable")

    @cached_property
    def scaling(self) -> Scaling:
        """Numbers of all columns as arrays."""
        return Scaling.of(self.features)

    @cached_property
    def _kinds(self) -> tuple[list[Likelihood], np.ndarray]:
        """The likelihoods that differ, and the place of each column's."""
        return _kinds(self.likelihoods())

    @cached_property
    def _slots(self) -> list[int]:
        return [feature.column().n_slots for feature in self.features]

    @property
    def names(self) -> tuple:
        """Of the columns; their numbers in an array."""
        return self.frame.names

    @property
    def width(self) -> int:
        """Cells of a row, those of sums too."""
        return len(self.names) + len(self.sums)

    def with_sums(self, rows: Rows, min_count: int) -> "Codec":
        """The same with the sums of columns that these rows have."""
        features = [self.features[j] for j in self.order]
        return replace(self, sums=found(rows, features, self.order, min_count))

    def without_sums(self) -> "Codec":
        """The same of columns alone."""
        return replace(self, sums=NONE) if self.sums else self

    @property
    def varies(self) -> np.ndarray:
        """Whether each column has more than one value, (columns,) in the user's order."""
        return self.scaling.varies

    def columns(self) -> list[Column]:
        """What each cell's likelihood is told of its column."""
        return [self.features[j].column() for j in self.order]

    def likelihoods(self) -> list[Likelihood]:
        """The likelihood of each column, in the user's order."""
        return [feature.likelihood for feature in self.features]

    def has_likelihoods_of(self, choose: Callable) -> bool:
        """Whether a function from a column's name and kind to its likelihood gives the same."""
        return self.likelihoods() == [choose(f.name, f.dtype.kind) for f in self.features]

    def encode(
        self,
        rows: Rows,
        *,
        supported: bool = False,
        warns: bool = False,
        continues: bool = False,
        new: dict | None = None,
    ) -> Encoded:
        """Cells of the rows; a ValueError where a value cannot have come from its column.

        `supported` tells that likelihoods need not be asked. `warns` says which levels are new, and
        so does `continues`, which refuses other values in columns that were constant; `new` takes
        one of each column in the place of a warning.
        """
        offset = np.empty(rows.n)
        found: dict = {} if new is None else new
        blocks = self._blocks(rows, offset, found, not supported, continues)
        if rows.sparse:
            x: Cells = Sparse.of(blocks, self._cells_of_zeros(rows))
        else:
            x = Dense.of(blocks, (rows.n, self.width))
        if (warns or continues) and found is not new:
            self.warn_of_new(found)
        return Encoded(x, offset)

    def log_units(self, rows: Rows) -> np.ndarray:
        """What the density of rows owes to units of numbers, and to where these are dense, (rows,).

        The logarithm of it; that of levels is 0.
        """
        every = parts(rows.n, len(self.names), NUMBERS)
        numbers = (self._numbers(rows.part(part), {}) for part in every)
        return np.concatenate([self.log_units_of(own).sum(axis=1) for own in numbers])

    def read(self, rows: Rows, first: int) -> np.ndarray:
        """Numbers of some rows, from row `first` on, (rows, columns); a ValueError as in `encode`.

        NaN in a hole, -1 for an unseen level.
        """
        numbers = self._numbers(rows, {})
        self._check_support(numbers, first)
        return numbers

    def encoded(self, numbers: np.ndarray) -> Encoded:
        """The same as cells."""
        cells, offset = self._placed(numbers)
        return Encoded(Dense(cells.astype(np.float32)), offset)

    def log_units_of(self, numbers: np.ndarray) -> np.ndarray:
        """What the density of each number owes to its units, (rows, columns)."""
        log_slopes = self.scaling.log_slopes(numbers, numbers)
        for j in self.scaling.placed:
            log_slopes[:, j] = self.features[j].log_units(numbers[:, j])
        return log_slopes

    def offsets(self, numbers: np.ndarray) -> np.ndarray:
        """log |dx / dX| of each number, (rows, columns), but for what sums add.

        Where fit saw no such value, its log-probability.
        """
        _, log_slopes = self._sloped(numbers, self.scaling.cells(numbers))
        return log_slopes + self.scaling.log_others(numbers)

    def encode_numbers(self, numbers: np.ndarray) -> np.ndarray:
        """Dense cells of numbers in the user's order of columns."""
        self._check_support(numbers, 0)
        return self.encoded(numbers).x[:]

    def _blocks(
        self, rows: Rows, offset: np.ndarray, new: dict, asks: bool, continues: bool
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Places of some rows and their cells, in turn; fills in `offset` and `new`."""
        cheap = rows.frame is None and not rows.sparse and not self.scaling.placed
        for part in parts(rows.n, len(self.names), IN_CACHE if cheap else NUMBERS):
            numbers = self._numbers(rows.part(part), new)
            if asks:
                self._check_support(numbers, part.start)
            if continues:
                self._check_constants(numbers, part.start)
            cells, offset[part] = self._placed(numbers)
            yield part, cells

    def _cells_of_zeros(self, rows: Rows) -> np.ndarray:
        """The cells of a row of zeros."""
        zeros = np.zeros((1, len(self.names)), rows.given.dtype)
        with np.errstate(all="ignore"):  # where there are none they may lie outside of the support
            numbers = self._numbers(Rows(rows.names, 1, None, zeros, zeros), {})
            return self._placed(numbers)[0][0].astype(np.float32)

    def numbers(self, rows: Rows) -> np.ndarray | None:
        """Numbers of rows where there are sums, which take them as they are, (rows, columns).

        Those of columns without a part in any sum are NaN.
        """
        if not self.sums:
            return None
        numbers = np.full((rows.n, len(self.names)), np.nan)
        for j in self.order[list(self.sums.members())]:
            numbers[:, j] = self.features[j].read(rows.column(j))
        return numbers

    def _numbers(self, rows: Rows, new: dict) -> np.ndarray:
        """Numbers, (rows, columns): NaN in a hole, -1 for an unseen level, noted in `new`."""
        if rows.frame is None:
            numbers = rows.values.astype(np.float64, order="C")
            columns: Iterable[int] = self.scaling.read
        else:
            numbers = np.empty((rows.n, len(self.names)))
            columns = range(len(self.names))
        for j in columns:
            column, feature = rows.column(j), self.features[j]
            numbers[:, j] = feature.read(column)
            if j not in new and feature.has_levels and (numbers[:, j] < 0).any():
                new[j] = column.first(numbers[:, j] < 0)
        return numbers

    def _placed(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of numbers in the user's order of columns, and log |dx / dX| of each row."""
        scaling = self.scaling
        cells = scaling.cells(numbers)
        if scaling.is_even(cells):
            log_slope = np.full(len(cells), scaling.slope.sum())
        else:
            cells, log_slopes = self._sloped(numbers, cells)
            log_slope = log_slopes.sum(axis=1)
        if not scaling.varies.all():
            log_slope += scaling.log_others(numbers).sum(axis=1)
        order = slice(None) if len(self.kinds) == 1 else self.order
        if not self.sums:
            return cells[:, order], log_slope
        cells, numbers = cells[:, order], numbers[:, order]
        log_slope = log_slope + self.sums.beyond(numbers)
        return np.hstack([cells, self.sums.placed(numbers)]), log_slope

    def _sloped(self, numbers: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scaled cells, those of placed columns put in, and log |dx / dX| of each."""
        log_slopes = self.scaling.log_slopes(numbers, cells)
        for j in self.scaling.placed:
            cells[:, j], log_slopes[:, j] = self.features[j].place(numbers[:, j])
        return cells, log_slopes

    def _check_support(self, numbers: np.ndarray, first: int) -> None:
        """Refuse numbers that cannot have come from their likelihoods, from row `first` on."""
        edges, wrong = np.cumsum([size.cells for size in self.sizes[:-1]]), []
        for likelihood, columns in zip(self.kinds, np.split(self.order, edges), strict=True):
            if not likelihood.over_levels:
                own = numbers if len(columns) == len(self.names) else numbers[:, columns]
                found = unsupported(own, likelihood)
                wrong += [(columns[j], likelihood, first + row, value) for j, row, value in found]
        wrong.sort(key=itemgetter(0))
        check_supported([(self.names[j], *cell) for j, *cell in wrong])

    def _check_constants(self, numbers: np.ndarray, first: int) -> None:
        """Raise a ValueError where a column of one value has another."""
        constant = self.scaling.constant
        differs = ~np.isnan(constant) & ~np.isnan(numbers) & (numbers != constant)
        for j in np.flatnonzero(differs.any(axis=0)):
            row = int(np.argmax(differs[:, j]))
            raise ValueError(
                f"Column {short(self.names[j])} has more than the one value that the last fit saw "
                f"(row {first + row}), but warm_start continues that model, in which constant ones "
                "have no part; set warm_start=False."
            )

    def varied(self, rows: Rows) -> list:
        """Names of columns that had one value in fit, or none, and have others in these rows."""
        found = []
        for j in np.flatnonzero(~self.varies).tolist():
            numbers = self.features[j].read(rows.column(j))
            if (~np.isnan(numbers) & (numbers != self.scaling.constant[j])).any():
                found.append(self.names[j])
        return found

    def warn_of_new(self, new: dict, where: str = "in fit") -> None:
        """Say which levels of which columns were not seen, if there are any."""
        if not new:
            return
        found = ", ".join(
            f"{level} in column {short(self.names[j])}" for j, level in sorted(new.items())
        )
        warn(f"Levels that were not seen {where} are treated as missing: {found}.")

    def decode(
        self, blocks: Iterable[np.ndarray], n: int, *, points: bool = False, like: Any = None
    ) -> Any:
        """Blocks of cells of n rows, or of the points of likelihoods, as a table like that of fit.

        A pandas index is that of `like`, repeated as needed.
        """
        if self.frame.library == "numpy" and all(feature.is_plain for feature in self.features):
            return self._array(blocks, n, points)
        return self.table(self.typed(self.restore(blocks, n, points=points)), n, like)

    def restore(
        self,
        blocks: Iterable[np.ndarray],
        n: int,
        *,
        points: bool = False,
        given: np.ndarray | None = None,
    ) -> list[tuple]:
        """The same as columns in NumPy, each with its holes, or None for none.

        `given` are as for numbers.
        """
        return self.columns_of(self.numbers_of(blocks, points=points, given=given))

    def columns_of(self, numbers: Iterable[np.ndarray]) -> list[tuple]:
        """Numbers of each column as it holds them, each with its holes, or None for none."""
        return [f.restore(own) for f, own in zip(self.features, numbers, strict=True)]

    def numbers_of(
        self, blocks: Iterable[np.ndarray], *, points: bool, given: np.ndarray | None
    ) -> list[np.ndarray]:
        """The same as numbers of each column, of labels their codes.

        `given` are numbers that some cells are to have, (rows, columns) in turns, NaN elsewhere:
        sums take them as they are.
        """
        cells = np.concatenate(list(blocks), dtype=np.float64)
        by_column = cells[:, np.argsort(self.order)].T
        numbers = [f.numbers(x, points) for f, x in zip(self.features, by_column, strict=True)]
        if self.sums and not points:
            self._replay(numbers, cells[:, len(self.names) :], given)
        return numbers

    def quantiles(self, drawn: list[list], quantiles: np.ndarray) -> list[tuple]:
        """Of draws, each as numbers of each column: labels without order have the most frequent."""
        found = []
        for feature, draws in zip(self.features, zip(*drawn, strict=True), strict=True):
            if feature.has_levels and feature.dtype.meaning == "category":
                found.append([mode(draws).mode] * len(quantiles))
            else:
                found.append(np.quantile(draws, quantiles, axis=0, method="inverted_cdf"))
        return list(zip(*found, strict=True))

    def _replay(self, numbers: list, places: np.ndarray, given: np.ndarray | None) -> None:
        """Numbers of columns as their sums have them, in place."""
        own = np.stack([numbers[j] for j in self.order], axis=1)
        known = np.full_like(own, np.nan)
        if given is not None:
            known = given[np.arange(len(own)) % len(given)][:, self.order]
        replayed = self.sums.replayed(own, places, known)
        for cell in self.sums.members():
            numbers[self.order[cell]] = replayed[:, cell]

    def typed(self, columns: list[tuple]) -> list[tuple]:
        """Columns in NumPy with the dtypes of fit."""
        return [(f.dtype, *column) for f, column in zip(self.features, columns, strict=True)]

    def table(
        self, columns: list[tuple[Dtype, np.ndarray, np.ndarray | None]], n: int, like: Any
    ) -> Any:
        """Columns in NumPy as a table like that of fit."""
        series = [dtype.series(cells, holes) for dtype, cells, holes in columns]
        return self.frame.table(series, n, like)

    def _array(self, blocks: Iterable[np.ndarray], n: int, points: bool) -> np.ndarray:
        """An array with no more in memory than it takes and a block."""
        center, scale = self.scaling.center, self.scaling.scale
        placed = () if points else self.scaling.placed
        restored = np.empty((n, len(self.names)), self.features[0].dtype.name)
        start = 0
        for block in blocks:
            cells = np.empty(block.shape)
            cells[:, self.order] = block
            with np.errstate(over="ignore"):  # brought back into the range of the dtype
                numbers = center + scale * cells
                for j in placed:
                    numbers[:, j] = self.features[j].placement.decode(cells[:, j])
                restored[start : start + len(block)] = numbers
            start += len(block)
        return _brought_back(restored)

    def observed(self, x: np.ndarray, rows: Rows) -> np.ndarray:
        """Which cells of the rows, encoded as x, are no holes, (rows, columns)."""
        observed = np.empty((len(x), len(self.names)), bool)
        observed[:, self.order] = ~np.isnan(x[:, : len(self.names)])
        for j in np.flatnonzero(self.scaling.unknown).tolist():
            observed[:, j] = ~rows.column(j).holes
        return observed


def with_holes(columns: list[tuple], holes: np.ndarray) -> list[tuple]:
    """Columns with dtypes, of which cells are missing (rows, columns) beside those that are."""
    found = []
    for (dtype, cells, own), more in zip(columns, holes.T, strict=True):
        both = more if own is None else own | more
        found.append((dtype, cells, both if both.any() else own))
    return found


def _features(rows: Rows, choose: Callable, min_count: int) -> tuple[Feature, ...]:
    """What to know of each column; a ValueError where a likelihood cannot give a value."""
    features, wrong = [], []
    for name, column in zip(rows.names, rows.columns(), strict=True):
        likelihood = choose(name, column.dtype.kind)
        check_labels(name, column, likelihood)
        learned = format_of(column, likelihood).learn(name, column, likelihood, min_count)
        numbers = learned.read(column)
        wrong += (bad := first_unsupported(name, numbers, likelihood))
        if not bad:
            features.append(Feature.learn(name, column, learned, numbers, likelihood, min_count))
    check_supported(wrong)
    return tuple(features)


def _kinds(likelihoods: list[Likelihood]) -> tuple[list[Likelihood], np.ndarray]:
    """Likelihoods that differ, in the order in which they come, and the place of each column's."""
    # Comparing objects takes long.
    objects = {id(likelihood): likelihood for likelihood in likelihoods}
    places: dict = {}
    for likelihood in objects.values():
        places.setdefault(likelihood, len(places))
    by_object = {key: places[likelihood] for key, likelihood in objects.items()}
    return list(places), np.array([by_object[id(likelihood)] for likelihood in likelihoods])


def _sizes(kinds: list[Likelihood], block: np.ndarray, slots: Any) -> tuple[Size, ...]:
    """How many cells and slots each of the likelihoods has, with room for some more slots."""
    cells, slots = np.bincount(block).tolist(), np.bincount(block, slots)
    room = [padded(int(n)) if kind.has_slots else 0 for kind, n in zip(kinds, slots, strict=True)]
    return tuple(map(Size, cells, room))


def _warn_of_many(slots: list[int], names: tuple) -> None:
    if sum(slots) > MANY:
        widest = int(np.argmax(slots))
        warn(
            f"Labels and whole numbers take {sum(slots)} different values and bins in all "
            f"({slots[widest]} in column {short(names[widest])}): the model will be large and "
            "slow. Drop identifiers; for whole numbers that measure something, set "
            "likelihood='gaussian' or give floats."
        )


def _brought_back(restored: np.ndarray) -> np.ndarray:
    """Numbers within the range of their dtype, in place."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = restored.sum(dtype=np.float64)
    if not np.isfinite(total):
        largest = np.finfo(restored.dtype).max
        np.clip(restored, -largest, largest, out=restored)
    return restored
