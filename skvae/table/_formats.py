"""What cells of a column mean: numbers, times or levels, each as a number, and back.

Works on NumPy arrays; `_dtypes` knows the libraries.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from skvae.likelihoods._base import Likelihood
from skvae.table._clocks import clock, is_first, utc
from skvae.table._dtypes import EXACT
from skvae.table._series import Dtype
from skvae.table._values import Values, short

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
    "duration": "durations",
}


def format_of(column: Values, likelihood: Likelihood) -> Any:
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

    @property
    def resolution(self) -> float:
        """What numbers are multiples of; 0 for floats with many decimals."""
        if self.kind != "float":
            return 1.0
        return 0.0 if self.decimals is None else 10.0**-self.decimals

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
        return _of_levels(column, lambda level: isinstance(level, str) or not _is_finite(level))

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
    def resolution(self) -> float:
        """What numbers are multiples of, in days."""
        return self.step * UNITS[self.unit] / UNITS["D"]

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
        observed = column.cells[~column.holes]
        ticks = clock(observed, zone).astype(np.int64)
        # The longest of a day, an hour, ..., that nearly all are whole numbers of, in units.
        steps = [UNITS[step] // UNITS[unit] for step in UNITS if UNITS[step] >= UNITS[unit]]
        step = next((step for step in steps if (ticks % step != 0).sum() < min_count), 1)
        low, high = map(int, _ends(ticks, min_count) if len(ticks) >= min_count else (0, 0))
        finer = step * UNITS[unit] < UNITS["us"] or (unit == "ns" and low == high)
        origin = 0
        if finer and high - low < 2**62:
            origin = max(low // 1000, -(2**63 // 1000))  # in nanoseconds an int64 holds it
        low, high = low // step * step, high // step * step
        first = zone is not None and is_first(observed, zone)
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
        ticks = clock(column.cells, self.zone).astype(np.int64)
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
        return utc(times, self.zone, self.first).astype(dtype.numpy)


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
            return self._misfits_among_times(column)
        textual = {isinstance(level, str) for level in self.levels}
        if len(textual) > 1:
            return None
        if column.levels is None:
            return ~column.holes if textual == {True} else None
        return _of_levels(column, lambda level: isinstance(level, str) not in textual)

    def _misfits_among_times(self, column: Values) -> np.ndarray | None:
        same_zone = (self.zone is None) == (column.dtype.get("zone") is None)
        same = np.dtype(self.numpy).kind == column.cells.dtype.kind and same_zone
        return None if same and column.levels is None else ~column.holes

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
        there = np.dtype(self.numpy)
        levels = levels.astype(np.int64).view(there) if there.kind in "mM" else levels.astype(there)
        return levels[numbers.astype(np.intp)]


def _order(column: Values, levels: list) -> Iterable[int]:
    """Places of levels as their categories are ordered, or else sorted, numbers before text."""
    if column.dtype.get("ordered"):
        place = {level: i for i, level in enumerate(column.dtype.get("levels"))}
        return np.argsort([place[level] for level in levels])
    try:
        return np.argsort(np.array(levels, object), kind="stable")
    except TypeError:  # text among numbers
        return sorted(range(len(levels)), key=lambda i: (isinstance(levels[i], str), levels[i]))


def _ends(observed: np.ndarray, min_count: int) -> tuple[Any, Any]:
    """The smallest and the largest value that so many lie at or beyond, in Python's own types."""
    if len(observed) < min_count:
        return np.inf, -np.inf
    if min_count == 1:
        return observed.min().item(), observed.max().item()
    if len(observed) < 2 * min_count:
        middle = _middle(observed)
        return middle, middle
    low, high = min_count - 1, len(observed) - min_count
    ordered = np.partition(observed, [low, high])
    return ordered[low].item(), ordered[high].item()


def _middle(observed: np.ndarray) -> Any:
    """The mean, rounded where values are no floats."""
    observed = observed.astype(np.int8) if observed.dtype.kind == "b" else observed
    low = observed.min()
    with np.errstate(over="ignore"):  # a range that is refused later
        above = observed - low
    if observed.dtype.kind == "f":
        return low.item() + (above / len(above)).sum(dtype=np.float64)  # their sum may overflow
    return low.item() + round(above.mean(dtype=np.float64))


def _check_exact(name: Any, observed: np.ndarray) -> None:
    beyond = (observed >= EXACT) | (observed <= -EXACT if observed.dtype.kind == "i" else False)
    if beyond.any():
        raise ValueError(
            f"Column {short(name)} has {short(observed[np.argmax(beyond)])}, but whole numbers "
            "from 2**53 on have too many digits to be told apart; subtract an offset, or turn "
            "them into text if they are identifiers."
        )


def _of_levels(column: Any, wrong: Callable) -> np.ndarray | None:
    """Which cells are of levels that are wrong; None where no level is."""
    levels = [*map(wrong, column.levels), False]
    return np.array(levels)[column.cells] if any(levels) else None


def _is_finite(number: Any) -> bool:
    try:
        return bool(np.isfinite(float(number)))
    except OverflowError:
        return False


def _decimals(observed: np.ndarray) -> int | None:
    """The fewest decimals that all numbers have; None where they have many."""
    each = range(MOST_DECIMALS + 1) if len(observed) else ()
    fits = (p for p in each if all(_has_decimals(o, p) for o in (observed[:100], observed)))
    return next(fits, None)


def _has_decimals(observed: np.ndarray, places: int) -> bool:
    rounded = _rounded(observed.astype(np.float64), places)
    return bool((rounded.astype(observed.dtype) == observed).all())


def _rounded(numbers: np.ndarray, places: int) -> np.ndarray:
    """Numbers with so many decimals; those too large for any as they are."""
    with np.errstate(all="ignore"):
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
