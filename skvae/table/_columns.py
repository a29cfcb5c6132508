"""One column of the user's table: what fit learned of it, from its cells to numbers, and back.

Works on NumPy arrays, and asks pandas for the clocks of time zones alone; `_dtypes` knows the
libraries.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from skvae.likelihoods._base import Column, Grid, Likelihood
from skvae.table._dtypes import EXACT, Dtype, Values, short

DAY = 86_400e6  # microseconds: datetimes and durations count in days
UNITS = {
    "D": 86_400 * 10**9,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}
MOST_DECIMALS = 6  # more are no decimals that people gave
WORDS = {
    "float": "finite numbers",
    "integer": "whole numbers",
    "boolean": "booleans",
    "datetime": "datetimes",
}
WORDS |= {"duration": "durations"}


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
    center: float = 0.0  # X = center + scale * x where there is no grid
    scale: float = 1.0
    grid: Grid | None = None

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
        n, observed = len(observed), observed[observed >= 0] if likelihood.over_levels else observed
        enough = len(observed) >= max(1, min_count)
        varies = enough and observed.min() < observed.max()
        constant = float(observed[0]) if enough and not varies else None
        feature = cls(name, column.dtype, format_, likelihood, n, bool(varies), constant)
        if not varies or likelihood.over_levels:
            return feature
        center, scale = likelihood.location_and_scale(observed)
        grid = likelihood.grid(observed, min_count) if likelihood.has_slots else None
        return replace(feature, center=center, scale=scale, grid=grid)

    def __getstate__(self) -> dict:
        """Without categories that no row used: they may tell of rows the model never saw."""
        seen = set(getattr(self.format, "levels", ()))
        used = [level for level in self.dtype.get("levels") or () if level in seen]
        return vars(self) | {"dtype": self.dtype.with_levels(used)}

    @property
    def has_slots(self) -> bool:
        return self.varies and self.likelihood.has_slots

    @property
    def log_new(self) -> float:
        """Log-probability of a value that fit never saw: as if one more row had it."""
        return np.log(1 / (self.n_observed + 1))

    def column(self) -> Column:
        """What the likelihood is told of it; a column of one value has one slot."""
        if not self.likelihood.has_slots:
            return Column()
        if not self.varies:
            return Column(1, np.zeros(1))
        if self.likelihood.over_levels:
            return Column(len(self.format.levels))
        return Column(self.grid.n_slots, (self.grid.means() - self.center) / self.scale)

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
        """Cells of a column with slots, and log |dx / dX|: of a level, the share of seen ones."""
        seen = ~np.isnan(numbers)
        cells, log_slope = np.full(len(numbers), np.nan), np.zeros(len(numbers))
        if self.grid is not None:
            cells[seen], log_slope[seen] = self.grid.encode(numbers[seen])
            return cells, log_slope
        known, log_known = seen & (numbers >= 0), np.log1p(-1 / (self.n_observed + 1))
        cells[known], log_slope[known], log_slope[seen & ~known] = (
            numbers[known],
            log_known,
            self.log_new,
        )
        return cells, log_slope

    @property
    def is_scaled(self) -> bool:
        """Whether restoring does no more than scale the cells."""
        return self.varies and self.format.kind == "float" and not self.has_slots

    def restore(self, cells: np.ndarray, *, points: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Cells as the column of fit held them, and holes, if any; points are scaled numbers."""
        if not self.varies and self.constant is None:
            return np.full(len(cells), None, object), np.ones(len(cells), bool)
        if not self.varies:
            return self.format.restore(np.full(len(cells), self.constant), self.dtype), None
        with np.errstate(over="ignore"):
            scaled = self.grid is None or points
            numbers = self.center + self.scale * cells if scaled else self.grid.decode(cells)
        return self.format.restore(numbers, self.dtype), None


def format_of(column: Values, likelihood: Likelihood) -> type:
    """The class below that reads a column for its likelihood."""
    if likelihood.over_levels:
        return Levels
    return Times if column.dtype.meaning in ("datetime", "duration") else Numbers


@dataclass(frozen=True)
class Numbers:
    """Floats, integers and booleans as themselves; back within the range seen if no floats."""

    kind: str
    low: Any  # smallest and largest value
    high: Any
    # Of floats that all have so few, where draws are values that were seen or between.
    decimals: int | None = None

    words: ClassVar[str] = "numbers"
    advice: ClassVar[str] = "turn it into numbers"

    @classmethod
    def learn(cls, name: Any, column: Values, likelihood: Likelihood, min_count: int) -> "Numbers":
        kind = column.dtype.meaning if column.meaning != "nothing" else "float"
        observed = column.cells[~column.holes] if column.holes.any() else column.cells
        if kind in ("category", "ordered"):
            kind, observed = "float", np.empty(0)
        if kind == "integer":
            _check_exact(name, observed)
        low, high = _ends(observed, min_count)
        places = column.dtype.get("scale")
        if kind == "float" and places is None and likelihood.has_slots:
            places = _decimals(observed)
        return cls(kind, low, high, places)

    def misfits(self, column: Values) -> np.ndarray | None:
        """Which cells are no numbers; None where all are."""
        if column.meaning in ("float", "integer", "boolean", "nothing"):
            return None
        if column.levels is None:
            return ~column.holes
        wrong = np.array(
            [isinstance(level, str) or not _is_finite(level) for level in column.levels], bool
        )
        return np.append(wrong, False)[column.cells] if wrong.any() else None

    def read(self, column: Values) -> np.ndarray:
        if column.levels is not None:
            return np.append(column.levels, np.nan).astype(np.float64)[column.cells]
        numbers = column.cells.astype(np.float64)
        if column.cells.dtype.kind != "f" and column.holes.any():
            numbers[column.holes] = np.nan
        return numbers

    def restore(self, numbers: np.ndarray, dtype: Dtype) -> np.ndarray:
        if self.kind == "boolean":
            return numbers >= 0.5
        if self.kind == "integer":
            return _whole(np.rint(numbers), self.low, self.high).astype(dtype.numpy)
        numbers = numbers if self.decimals is None else _rounded(numbers, self.decimals)
        largest = np.finfo(dtype.numpy).max
        return numbers.clip(-largest, largest).astype(dtype.numpy)


@dataclass(frozen=True)
class Times:
    """Datetimes, dates and durations: days, of datetimes since 1970 on the clock of their zone.

    They come back within the range seen, and as round as they were.
    """

    kind: str  # "datetime" or "duration"
    unit: str  # of the whole numbers below
    low: int
    high: int
    step: int  # the longest of a day, an hour, ..., a nanosecond that they are whole numbers of
    origin: int = 0  # in microseconds: 0 but where they differ by less than one
    zone: str | None = None
    first: bool = False  # whether hours that summer time repeats are meant the first time

    @property
    def words(self) -> str:
        zone = f" in the zone {self.zone}" if self.zone else " without a zone"
        return WORDS[self.kind] + (zone if self.kind == "datetime" else "")

    @property
    def advice(self) -> str:
        if self.zone:
            return "give datetimes with a zone, as with .dt.tz_localize(...)"
        return f"turn it into {self.words}"

    @classmethod
    def learn(cls, name: Any, column: Values, likelihood: Likelihood, min_count: int) -> "Times":
        unit, zone = np.datetime_data(column.cells.dtype)[0], column.dtype.get("zone")
        ticks = _clock(column.cells[~column.holes], zone).astype(np.int64)
        low, high = _ends(ticks, min_count)
        steps = [UNITS[step] // UNITS[unit] for step in UNITS if UNITS[step] >= UNITS[unit]]
        step = next((step for step in steps if (ticks % step != 0).sum() < min_count), 1)
        enough = len(ticks) >= min_count
        finer = (
            enough
            and (step * UNITS[unit] < UNITS["us"] or (unit == "ns" and low == high))
            and high - low < 2**62
        )
        # In nanoseconds an int64 holds it.
        origin = max(int(low) // 1000, -(2**63 // 1000)) if finer else 0
        low, high = (int(low) // step * step, int(high) // step * step) if enough else (0, 0)
        first = zone is not None and _is_first(column.cells[~column.holes], zone)
        return cls(column.dtype.meaning, unit, low, high, step, origin, zone, first)

    def misfits(self, column: Values) -> np.ndarray | None:
        """Which cells are no times of this kind; None where all are."""
        if column.meaning == "nothing":
            return None
        zoned = column.dtype.get("zone") is not None
        fits = column.meaning == self.kind and zoned == (self.zone is not None)
        return None if fits else ~column.holes

    def read(self, column: Values) -> np.ndarray:
        if column.meaning != self.kind:  # all are holes
            return np.full(len(column.cells), np.nan)
        unit = np.datetime_data(column.cells.dtype)[0]
        ticks = _clock(column.cells, self.zone).astype(np.int64)
        if unit == "ns":
            whole, rest = np.divmod(ticks, 1000)
            days = (whole - self.origin) / DAY + rest / (1000 * DAY)
        else:
            days = ticks / (DAY * 1000 / UNITS[unit]) - self.origin / DAY
        return np.where(column.holes, np.nan, days)

    def restore(self, numbers: np.ndarray, dtype: Dtype) -> np.ndarray:
        per_step = UNITS["D"] / (self.step * UNITS[self.unit])
        origin = self.origin * 1000 // UNITS[self.unit] if self.origin else 0
        steps = np.rint(numbers * per_step)
        low, high = (self.low - origin) // self.step, (self.high - origin) // self.step
        ticks = _whole(steps, low, high) * self.step + origin
        ticks = np.where(steps <= low, self.low, np.where(steps >= high, self.high, ticks))
        letter = "m" if self.kind == "duration" else "M"
        times = ticks.astype(np.int64).view(f"{letter}8[{self.unit}]")
        return _utc(times, self.zone, self.first).astype(dtype.numpy)


@dataclass(frozen=True)
class Levels:
    """Labels: codes 0, 1, ... of those seen; -1 for any other."""

    levels: tuple  # in Python's own types; whole numbers of their unit for times
    numpy: str  # dtype of the column's cells
    zone: str | None = None

    kind: ClassVar[str] = "levels"

    @property
    def words(self) -> str:
        if self.numpy != "object":
            return WORDS[Dtype("numpy", "", self.numpy).meaning]
        textual = [isinstance(level, str) for level in self.levels]
        return "text" if all(textual) else "labels" if any(textual) else "labels that are numbers"

    @property
    def advice(self) -> str:
        return f"turn it into {self.words}"

    @classmethod
    def learn(cls, name: Any, column: Values, likelihood: Likelihood, min_count: int) -> "Levels":
        codes, levels = column.codes()
        counts = np.bincount(codes[codes >= 0], minlength=len(levels))
        order = [i for i in _order(column, levels) if counts[i] >= min_count]
        return cls(tuple(levels[i] for i in order), column.dtype.numpy, column.dtype.get("zone"))

    def misfits(self, column: Values) -> np.ndarray | None:
        """Which cells mean something else than labels of this kind; None where none does."""
        if column.meaning == "nothing" or not self.levels:
            return None
        if column.cells.dtype.kind in "mM" or np.dtype(self.numpy).kind in "mM":
            zones = self.zone is not None, column.dtype.get("zone") is not None
            same = np.dtype(self.numpy).kind == column.cells.dtype.kind and zones[0] == zones[1]
            return None if same and column.levels is None else ~column.holes
        textual = {isinstance(level, str) for level in self.levels}
        if len(textual) > 1:
            return None
        if column.levels is None:
            return ~column.holes if textual == {True} else None
        wrong = np.array([isinstance(level, str) not in textual for level in column.levels], bool)
        return np.append(wrong, False)[column.cells] if wrong.any() else None

    def read(self, column: Values) -> np.ndarray:
        if column.meaning == "nothing":
            return np.full(len(column.holes), np.nan)
        known = {level: code for code, level in enumerate(self.levels)}
        codes, levels = self._in_own_unit(column).codes()
        places = np.array([*(known.get(level, -1) for level in levels), np.nan])
        return places[codes]

    def _in_own_unit(self, column: Values) -> Values:
        if column.cells.dtype.kind not in "mM" or str(column.cells.dtype) == self.numpy:
            return column
        there = column.cells.astype(self.numpy)
        same = (there == column.cells) & (there.astype(column.cells.dtype) == column.cells)
        return column._replace(cells=np.where(same, there, np.array("NaT", self.numpy)))

    def restore(self, numbers: np.ndarray, dtype: Dtype) -> np.ndarray:
        levels = np.empty(len(self.levels), object)
        levels[:] = self.levels
        if self.numpy != "object":
            there = np.dtype(self.numpy)
            levels = (
                levels.astype(np.int64).view(there) if there.kind in "mM" else levels.astype(there)
            )
        return levels[numbers.astype(np.intp)]


def _order(column: Values, levels: list) -> np.ndarray:
    """Places of levels as their categories are ordered, or else sorted, or else as they came."""
    if column.dtype.get("ordered"):
        place = {level: i for i, level in enumerate(column.dtype.get("levels"))}
        return np.argsort([place[level] for level in levels])
    try:
        return np.argsort(np.array(levels, object), kind="stable")
    except TypeError:  # text among numbers
        return np.arange(len(levels))


def _ends(observed: np.ndarray, min_count: int) -> tuple[Any, Any]:
    """The smallest and the largest value that so many lie at or beyond, in Python's own types."""
    if len(observed) < min_count:
        return np.inf, -np.inf
    if min_count == 1:
        return observed.min().item(), observed.max().item()
    if len(observed) < 2 * min_count:
        observed = observed.astype(np.int8) if observed.dtype.kind == "b" else observed
        low = observed.min().item()
        middle = (observed - observed.min()).mean(dtype=np.float64)
        middle = low + (middle if observed.dtype.kind == "f" else round(middle))
        return middle, middle
    low, high = min_count - 1, len(observed) - min_count
    ordered = np.partition(observed, [low, high])
    return ordered[low].item(), ordered[high].item()


def _check_exact(name: Any, observed: np.ndarray) -> None:
    beyond = (observed >= EXACT) | (observed <= -EXACT if observed.dtype.kind == "i" else False)
    if beyond.any():
        raise ValueError(
            f"Column {short(name)} has {short(observed[np.argmax(beyond)])}, but whole numbers "
            "from 2**53 on have too many digits to be told apart; subtract an offset, or turn "
            "them into text if they are identifiers."
        )


def _is_finite(number: Any) -> bool:
    try:
        return bool(np.isfinite(float(number)))
    except OverflowError:
        return False


def _decimals(observed: np.ndarray) -> int | None:
    """The fewest decimals that all numbers have; None where they have many."""
    if not len(observed):
        return None
    for places in range(MOST_DECIMALS + 1):
        if _has_decimals(observed[:100], places) and _has_decimals(observed, places):
            return places
    return None


def _has_decimals(observed: np.ndarray, places: int) -> bool:
    return bool(
        (_rounded(observed.astype(np.float64), places).astype(observed.dtype) == observed).all()
    )


def _rounded(numbers: np.ndarray, places: int) -> np.ndarray:
    """Numbers with so many decimals; those too large for any as they are."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.round(numbers, places)
    return np.where(np.isfinite(rounded), rounded, numbers) + 0.0  # no negative zeros


def _whole(numbers: np.ndarray, low: int, high: int) -> np.ndarray:
    """Whole numbers, exact at the ends of their range, which float64 may miss."""
    wide = np.uint64 if high > np.iinfo(np.int64).max else np.int64
    with np.errstate(invalid="ignore"):  # float(high) may lie just beyond the dtype; replaced below
        whole = numbers.clip(float(low), float(high)).astype(wide)
    whole[numbers <= float(low)] = low
    whole[numbers >= float(high)] = high
    return whole


def _clock(times: np.ndarray, zone: str | None) -> np.ndarray:
    """Datetimes of UTC as the clock of a zone shows them."""
    if zone is None:
        return times
    zone = zone.removeprefix("dateutil/")  # the same clock, which pandas can read
    inside = _within_calendars(times)
    there = (
        pd.Series(inside).dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None).to_numpy()
    )
    return _shifted(times, there - inside)


def _utc(times: np.ndarray, zone: str | None, first: bool = False) -> np.ndarray:
    """Datetimes of a clock in UTC; of hours that summer time skips or repeats, the later one."""
    if zone is None:
        return times
    zone, inside = zone.removeprefix("dateutil/"), _within_calendars(times)
    there = pd.Series(inside).dt.tz_localize(
        zone, ambiguous=np.full(len(times), first), nonexistent="shift_forward"
    )
    return _shifted(times, there.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy() - inside)


def _is_first(times: np.ndarray, zone: str) -> bool:
    """Whether datetimes of UTC only come back if repeated hours are taken as the first one."""
    clock = _clock(times, zone)
    return bool(
        (_utc(clock, zone, True) == times).all() and (_utc(clock, zone, False) != times).any()
    )


def _shifted(times: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Datetimes moved by durations, and no further than they can be."""
    ticks, by = times.astype(np.int64), by.astype(np.int64)
    by[np.isnat(times)] = 0
    most = np.iinfo(np.int64).max
    ends = -most - np.minimum(by, 0), most - np.maximum(by, 0)
    return np.where(np.isnat(times), times, (ticks.clip(*ends) + by).view(times.dtype))


def _within_calendars(times: np.ndarray) -> np.ndarray:
    """Datetimes brought into the years that time zones are known for."""
    unit = np.datetime_data(times.dtype)[0]
    first, last = ("1700", "2260") if unit == "ns" else ("0002", "9998")
    return np.clip(times, np.datetime64(first, unit), np.datetime64(last, unit))
