"""The user's table and the encoded cells, in both directions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import vstack

from skvae._memory import aligned
from skvae._sklearn import warn
from skvae.likelihoods._base import Column, Likelihood, Size, padded
from skvae.table._cells import Cells, Dense, Sparse, differing
from skvae.table._columns import Feature, Numbers, format_of
from skvae.table._dtypes import Dtype, Values, short
from skvae.table._frames import Frame
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
    constant: np.ndarray  # the number of a column of one value, NaN elsewhere
    log_new: np.ndarray  # log-probability of another value there
    zero_is_atom: np.ndarray  # where a 0 counts with its probability
    slots: tuple  # columns whose features place them
    read: tuple  # columns of arrays that are no numbers as they stand

    @classmethod
    def of(cls, features: tuple) -> "Scaling":
        names = ("center", "scale", "varies", "log_new")
        center, scale, varies, log_new = (
            np.array([getattr(f, name) for f in features]) for name in names
        )
        constant = np.array([np.nan if f.constant is None else f.constant for f in features])
        atoms = varies & np.array([feature.likelihood.zero_is_atom for feature in features])
        slots = tuple(j for j, feature in enumerate(features) if feature.has_slots)
        read = tuple(
            j for j, feature in enumerate(features) if not isinstance(feature.format, Numbers)
        )
        return cls(
            center,
            scale,
            np.where(varies, -np.log(scale), 0.0),
            varies,
            constant,
            log_new,
            atoms,
            slots,
            read,
        )


@dataclass(frozen=True)
class Codec:
    """What fit saw of the table, as plain data: all that encoding and restoring rows needs."""

    frame: Frame
    features: tuple[Feature, ...]  # in the user's order
    kinds: tuple[Likelihood, ...]  # the likelihoods that differ
    sizes: tuple[Size, ...]  # of each of these
    order: np.ndarray  # columns sorted into runs of equal likelihoods
    scaling: Scaling

    @classmethod
    def learn(cls, rows: Rows, frame: Frame, choose: Callable, min_count: int = 1) -> "Codec":
        """Read the schema of the rows, and places, scales, grids and levels of their columns."""
        features, wrong = [], []
        for name, column in zip(rows.names, rows.columns(), strict=True):
            likelihood = choose(name, column.dtype.meaning)
            _check_labels(name, column, likelihood)
            learned = format_of(column, likelihood).learn(name, column, likelihood, min_count)
            numbers = learned.read(column)
            bad = [] if likelihood.over_levels else _checked(name, numbers, likelihood)
            wrong += [(name, likelihood, *cell[1:]) for cell in bad[:1]]
            if not bad:
                features.append(
                    Feature.learn(name, column, learned, numbers, likelihood, min_count)
                )
        _check_supported(wrong)
        likelihoods = [feature.likelihood for feature in features]
        kinds, block = _kinds(likelihoods)
        slots = [feature.column().n_slots for feature in features]
        _warn_of_many(slots, rows.names)
        return cls(
            frame=frame,
            features=tuple(features),
            kinds=tuple(kinds),
            sizes=_sizes(kinds, block, slots),
            order=np.argsort(block, kind="stable"),
            scaling=Scaling.of(features),
        )

    @property
    def names(self) -> tuple:
        """Of the columns; their numbers in an array."""
        return self.frame.names

    @property
    def varies(self) -> np.ndarray:
        """Whether each column has more than one value, (columns,) in the user's order."""
        return self.scaling.varies

    @property
    def likelihood(self) -> Any:
        """All likelihoods side by side, each over its run of cells."""
        from skvae.likelihoods._mixed import Mixed

        return Mixed(self.kinds, self.sizes)

    def _runs(self) -> list[np.ndarray]:
        """The columns of each kind of likelihood."""
        return np.split(self.order, np.cumsum([size.cells for size in self.sizes[:-1]]))

    def columns(self) -> list[Column]:
        """What each cell's likelihood is told of its column."""
        return [self.features[j].column() for j in self.order]

    def likelihoods(self) -> list[Likelihood]:
        """The likelihood of each column, in the user's order."""
        return [feature.likelihood for feature in self.features]

    def has_likelihoods_of(self, choose: Callable) -> bool:
        """Whether a function from a column's name and meaning to its likelihood gives the same."""
        return self.likelihoods() == [
            choose(feature.name, feature.dtype.meaning) for feature in self.features
        ]

    def encode(
        self, rows: Rows, *, supported: bool = False, warns: bool = False, continues: bool = False
    ) -> Encoded:
        """Cells of the rows; a ValueError where a value cannot have come from its column.

        `supported` tells that likelihoods need not be asked. `warns` says which levels are new, and
        so does `continues`, which refuses other values in columns that were constant.
        """
        if rows.sparse:
            zeros = np.zeros((1, len(self.names)), rows.given.dtype)
            with np.errstate(
                all="ignore"
            ):  # zeros may lie outside of the support, where there are none
                base = self._placed(self._numbers(Rows(rows.names, 1, None, zeros, zeros), {}))[0][
                    0
                ].astype(np.float32)
        x, offset, new = (
            [] if rows.sparse else aligned((rows.n, len(self.names))),
            np.empty(rows.n),
            {},
        )
        cheap = rows.frame is None and not rows.sparse and not self.scaling.slots
        for part in parts(rows.n, len(self.names), IN_CACHE if cheap else NUMBERS):
            numbers = self._numbers(rows.part(part), new)
            if not supported:
                self._check_support(numbers, part.start)
            if continues:
                self._check_constants(numbers, part.start)
            cells, offset[part] = self._placed(numbers)
            if rows.sparse:
                x.append(differing(cells.astype(np.float32), base))
            else:
                x[part] = cells
        if (warns or continues) and new:
            found = ", ".join(
                f"{level} in column {short(self.names[j])}" for j, level in sorted(new.items())
            )
            warn(f"Levels that were not seen in fit are treated as missing: {found}.")
        return Encoded(Sparse(vstack(x, format="csr"), base) if rows.sparse else Dense(x), offset)

    def encode_numbers(self, numbers: np.ndarray) -> np.ndarray:
        """Dense cells of numbers in the user's order of columns."""
        self._check_support(numbers, 0)
        return self._placed(numbers)[0].astype(np.float32)

    def _numbers(self, rows: Rows, new: dict) -> np.ndarray:
        """Numbers, (rows, columns): NaN in a hole, -1 for an unseen level, noted in `new`."""
        if rows.frame is None:
            numbers, columns = rows.values.astype(np.float64, order="C"), self.scaling.read
        else:
            numbers, columns = np.empty((rows.n, len(self.names))), range(len(self.names))
        for j in columns:
            feature, column = self.features[j], rows.column(j)
            numbers[:, j] = feature.read(column)
            if (
                feature.varies
                and feature.likelihood.over_levels
                and j not in new
                and (numbers[:, j] < 0).any()
            ):
                new[j] = column.first(numbers[:, j] < 0)
        return numbers

    def _placed(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of numbers in the user's order of columns, and log |dx / dX| of each row."""
        center, scale, slope, varies, constant, log_new, zero_is_atom, slots, _ = self.scaling
        with np.errstate(over="ignore"):  # clipped
            cells = (numbers - center) / scale
        np.clip(cells, -LARGEST, LARGEST, out=cells)
        if not varies.all():
            cells[:, ~varies] *= 0.0  # a hole stays a hole
            cells[:, self._unknown] = np.nan
        if slots or zero_is_atom.any() or np.isnan(cells.sum()):
            log_slope = np.where(np.isnan(cells) | (zero_is_atom & (numbers == 0)), 0.0, slope)
            for j in slots:
                cells[:, j], log_slope[:, j] = self.features[j].place(numbers[:, j])
            log_slope = log_slope.sum(axis=1)
        else:
            log_slope = np.full(len(cells), slope.sum())
        if not varies.all():
            known = ~np.isnan(constant)  # and of one value
            differs = (numbers[:, known] != constant[known]) & ~np.isnan(numbers[:, known])
            log_slope += differs @ log_new[known]
        order = slice(None) if len(self.kinds) == 1 else self.order
        return cells[:, order], log_slope

    def _check_support(self, numbers: np.ndarray, first: int) -> None:
        """Refuse numbers that cannot have come from their likelihoods, from row `first` on."""
        wrong = []
        for likelihood, columns in zip(self.kinds, self._runs(), strict=True):
            if not likelihood.over_levels:
                own = numbers if len(columns) == len(self.names) else numbers[:, columns]
                wrong += [
                    (columns[j], likelihood, first + row, value)
                    for j, row, value in _unsupported(own, likelihood)
                ]
        wrong.sort(key=lambda cell: cell[0])
        _check_supported([(self.names[j], *cell) for j, *cell in wrong])

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

    def decode(
        self, blocks: Iterable[np.ndarray], n: int, *, points: bool = False, like: Any = None
    ) -> Any:
        """Blocks of cells of n rows, or of the points of likelihoods, as a table like that of fit.

        A pandas index is that of `like`, repeated as needed.
        """
        if self.frame.library == "numpy" and all(feature.is_scaled for feature in self.features):
            return self._scaled(blocks, n)
        columns = self.restore(blocks, n, points=points)
        return self.table(
            [(f.dtype, *column) for f, column in zip(self.features, columns, strict=True)], n, like
        )

    def restore(self, blocks: Iterable[np.ndarray], n: int, *, points: bool = False) -> list[tuple]:
        """The same as columns in NumPy, each with its holes, or None for none."""
        cells = np.empty((n, len(self.names)))
        cells[:, self.order] = np.concatenate(list(blocks))
        return [
            feature.restore(cells[:, j], points=points) for j, feature in enumerate(self.features)
        ]

    def table(
        self, columns: list[tuple[Dtype, np.ndarray, np.ndarray | None]], n: int, like: Any
    ) -> Any:
        """Columns in NumPy as a table like that of fit."""
        return self.frame.table(
            [dtype.series(cells, holes) for dtype, cells, holes in columns], n, like
        )

    def _scaled(self, blocks: Iterable[np.ndarray], n: int) -> np.ndarray:
        """An array with no more in memory than it takes and a block."""
        restored, start = np.empty((n, len(self.names)), self.features[0].dtype.name), 0
        for block in blocks:
            cells = np.empty(block.shape)
            cells[:, self.order] = block
            with np.errstate(over="ignore"):  # brought back into the range of the dtype
                restored[start : start + len(block)] = (
                    self.scaling.center + self.scaling.scale * cells
                )
            start += len(block)
        with np.errstate(over="ignore", invalid="ignore"):
            total = restored.sum(dtype=np.float64)
        if not np.isfinite(total):
            largest = np.finfo(restored.dtype).max
            np.clip(restored, -largest, largest, out=restored)
        return restored

    def observed(self, x: np.ndarray, rows: Rows) -> np.ndarray:
        """Which cells of the rows, encoded as x, are no holes, (rows, columns)."""
        observed = np.empty(x.shape, bool)
        observed[:, self.order] = ~np.isnan(x)
        for j in np.flatnonzero(self._unknown):
            observed[:, j] = ~rows.column(j).holes
        return observed

    @property
    def _unknown(self) -> np.ndarray:
        """Columns of which fit saw no cell: they are holes to the model, whatever comes later."""
        return ~self.varies & np.isnan(self.scaling.constant)


def _kinds(likelihoods: list[Likelihood]) -> tuple[list[Likelihood], np.ndarray]:
    """Likelihoods that differ, in the order in which they come, and the place of each column's."""
    # Comparing objects takes long.
    objects = {id(likelihood): likelihood for likelihood in likelihoods}
    places = {}
    for likelihood in objects.values():
        places.setdefault(likelihood, len(places))
    by_object = {key: places[likelihood] for key, likelihood in objects.items()}
    return list(places), np.array([by_object[id(likelihood)] for likelihood in likelihoods])


def _sizes(kinds: list[Likelihood], block: np.ndarray, slots: list[int]) -> tuple[Size, ...]:
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


def _check_labels(name: Any, column: Values, likelihood: Likelihood) -> None:
    if column.textual and not likelihood.over_levels:
        raise ValueError(
            f"Column {short(name)} holds labels (dtype {column.dtype.name}), but "
            f"{type(likelihood).__name__} needs {likelihood.support}; leave it to "
            f"likelihood='auto', or give {{{short(name)}: 'categorical'}}."
        )


def _checked(name: Any, numbers: np.ndarray, likelihood: Likelihood) -> list[tuple]:
    """Those numbers of a column that a likelihood cannot give."""
    _check_range(
        name, np.fmin.reduce(numbers, initial=np.inf), np.fmax.reduce(numbers, initial=-np.inf)
    )
    return _unsupported(numbers[:, None], likelihood)


def _check_range(name: Any, low: float, high: float) -> None:
    with np.errstate(over="ignore"):
        wide = high > low and not np.isfinite(high - low)
    if wide:
        raise ValueError(
            f"Column {short(name)} ranges from {low:.3g} to {high:.3g}, which float64 cannot "
            "subtract; divide it."
        )


def _unsupported(numbers: np.ndarray, likelihood: Likelihood) -> list[tuple]:
    """Column, row and value of the smallest number of each column that a likelihood cannot give."""
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
    """Refuse the smallest bad value of a column: of the first one with a negative value, if any."""
    if not wrong:
        return
    negative = [cell for cell in wrong if cell[1].positive_only and cell[3] < 0]
    name, likelihood, row, value = (negative or wrong)[0]
    begin = "Negative values in data: " if negative else ""
    raise ValueError(
        f"{begin}{type(likelihood).__name__} needs {likelihood.support}, but column {short(name)} "
        f"has {value:.6g} (row {row}). Choose another likelihood, such as likelihood='gaussian', "
        "or transform that column."
    )
