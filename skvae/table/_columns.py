"""One column of the user's table: from its dtype to numbers and on to cells, and back.

With the rest of its room the only one that knows pandas.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from skvae.likelihoods._base import Column, Likelihood
from skvae.likelihoods._grid import Grid

DAY = 86_400e6  # microseconds: datetimes count in days
STEPS = DAY, 3_600e6, 60e6, 1e6, 1.0


def kind_of(series: nw.Series) -> str | None:
    """What a column holds by its dtype, in a word; None for what no table has. Nothing but holes may be anything."""
    if series.dtype.is_integer():
        return "integer"
    if series.dtype.is_numeric():
        return "float"
    kinds = {nw.Boolean: "boolean", nw.Datetime: "datetime", nw.Date: "datetime", nw.Enum: "ordered"}
    names = {nw.String: "category", nw.Categorical: "category", nw.Object: "category"}
    kind = next((kind for known, kind in (kinds | names).items() if series.dtype == known), None)
    if kind is None and isinstance(getattr(series.to_native(), "dtype", None), pd.DatetimeTZDtype):
        return "datetime"  # in a zone whose name narwhals cannot read
    return "category" if kind is None and series.is_null().all() else kind


@dataclass(frozen=True)
class Feature:
    """What fit learned of a column."""

    format: Any  # Numbers, Times or Levels
    likelihood: Likelihood
    cell: nw.Series  # one observed cell in the column's own dtype; a hole where there is none
    n_observed: int
    varies: bool  # a column of one value has no part in the model
    center: float = 0.0  # X = center + scale * x where there is no grid
    scale: float = 1.0
    grid: Grid | None = None

    @classmethod
    def learn(cls, series: nw.Series, numbers: np.ndarray, format_: Any, likelihood: Likelihood) -> "Feature":
        """What to know of a column that reads as these numbers in a format that has learned from it."""
        holes = np.isnan(numbers)
        observed, first = numbers[~holes] if holes.any() else numbers, [int(np.argmin(holes))]
        feature = cls(format_, likelihood, series[first], len(observed), len(observed) > 0 and np.ptp(observed) > 0)
        if not feature.varies or likelihood.over_levels:
            return feature
        center, scale = likelihood.location_and_scale(observed)
        grid = likelihood.grid(observed) if likelihood.has_slots else None
        return replace(feature, center=center, scale=scale, grid=grid)

    @property
    def has_slots(self) -> bool:
        return self.varies and self.likelihood.has_slots

    def column(self) -> Column:
        """What the likelihood is told of it; a column of one value has one slot."""
        if not self.likelihood.has_slots:
            return Column()
        if not self.varies:
            return Column(1, np.zeros(1))
        if self.likelihood.over_levels:
            return Column(len(self.format.index))
        return Column(self.grid.n_slots, (self.grid.means() - self.center) / self.scale)

    def levels(self) -> list | None:
        """The levels that fit saw; None for numbers."""
        return self.format.index.tolist() if self.likelihood.over_levels else None

    def condition(self, values: list) -> Any:
        """A native series of the column's own dtype with given values, and one that fit saw where None is given."""
        cells = self.cell[np.zeros(len(values), np.intp)]
        places = [i for i, value in enumerate(values) if not pd.isna(value)]
        if not places:
            return cells.to_native()
        given = nw.new_series(self.cell.name, [values[i] for i in places], backend=self.cell.implementation)
        if self.cell.implementation.is_pandas():
            given = nw.from_native(given.to_native().astype(self.cell.to_native().dtype), series_only=True)
            return cells.scatter(places, given).to_native()
        return cells.scatter(places, given.cast(self.cell.dtype)).to_native()

    def place(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells of a column with slots, and log |dx / dX|: the share of a level that fit has seen or not."""
        seen = ~np.isnan(numbers)
        cells, log_slope = np.full(len(numbers), np.nan), np.zeros(len(numbers))
        if self.grid is not None:
            cells[seen], log_slope[seen] = self.grid.encode(numbers[seen])
            return cells, log_slope
        new = 1 / (self.n_observed + 1)  # as if one row more than fit saw had another level
        known = seen & (numbers >= 0)
        cells[known], log_slope[known], log_slope[seen & ~known] = numbers[known], np.log1p(-new), np.log(new)
        return cells, log_slope

    def is_scaled(self, points: bool) -> bool:
        """Whether restoring does no more than scale the cells."""
        return self.varies and self.format.kind == "float" and (points or self.grid is None)

    def restore(self, cells: np.ndarray, *, points: bool) -> Any:
        """A native series of the column's own dtype; points are scaled numbers even where there is a grid."""
        if not self.varies:
            return self.cell[np.zeros(len(cells), np.intp)].to_native()
        if self.grid is not None and not points:
            return self.format.restore(self.grid.decode(cells), self.cell)
        return self.format.restore(self.center + self.scale * cells, self.cell)


def format_of(kind: str, likelihood: Likelihood) -> type:
    """The class below that reads a column of some kind for its likelihood."""
    if likelihood.over_levels:
        return Levels
    return Times if kind == "datetime" else Numbers


@dataclass(frozen=True)
class Numbers:
    """Floats, integers and booleans: themselves, and back within the range seen where they are not floats."""

    kind: str
    low: Any  # smallest and largest value, in the column's own dtype
    high: Any

    @classmethod
    def learn(cls, series: nw.Series) -> "Numbers":
        kind = kind_of(series)
        if kind == "float":  # faster than by pandas
            values = series.to_numpy()
            return cls(kind, np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf))
        return cls(kind, series.min(), series.max())

    @staticmethod
    def read(series: nw.Series) -> np.ndarray:
        kind = kind_of(series)
        if kind == "category":  # a column of nothing but holes, or of numbers kept as objects
            return _parsed(series)
        floats = series if kind == "float" else series.cast(nw.Float64)
        return np.asarray(floats.to_numpy(), np.float64)

    def restore(self, values: np.ndarray, like: nw.Series) -> Any:
        if self.kind == "boolean":
            return _native(values >= 0.5, like)
        if self.kind == "float":
            return _native(values, like)
        low, high = int(self.low), int(self.high)
        whole = np.rint(values).clip(float(low), float(high))
        with np.errstate(invalid="ignore"):  # float(high) may lie just beyond the dtype; replaced below
            restored = whole.astype(np.uint64 if high > np.iinfo(np.int64).max else np.int64)
        restored[whole <= float(low)] = low
        restored[whole >= float(high)] = high
        return _native(restored, like)


def _parsed(series: nw.Series) -> np.ndarray:
    cells = pd.Series(series.to_numpy())
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    text = np.isnan(numbers) & ~pd.isna(cells)
    if text.any():
        raise ValueError(
            f"Column {series.name!r} held numbers in fit, but now has {cells[int(np.argmax(text))]!r}; "
            "turn it into numbers."
        )
    return numbers


@dataclass(frozen=True)
class Times:
    """Datetimes and dates: days since 1970 on the clock of their zone, and back within the range seen, as round."""

    low: float
    high: float
    step: float  # the longest of a day, an hour, a minute, a second and a microsecond that they are whole numbers of

    kind: ClassVar[str] = "datetime"

    @classmethod
    def learn(cls, series: nw.Series) -> "Times":
        days = cls.read(series)
        days = days[~np.isnan(days)]
        whole = [step for step in STEPS if (np.rint(days * DAY) % step == 0).all()]
        return cls(days.min(initial=np.inf), days.max(initial=-np.inf), whole[0])

    @staticmethod
    def read(series: nw.Series) -> np.ndarray:
        kind = kind_of(series)
        if kind not in ("datetime", "category"):
            raise ValueError(f"Column {series.name!r} held datetimes in fit, but now holds {series.dtype}.")
        clock = _clock(series) if kind == "datetime" else pd.to_datetime(pd.Series(series.to_numpy()))
        times = np.asarray(clock, "datetime64[us]")
        return np.where(np.isnat(times), np.nan, times.astype(np.int64) / DAY)

    def restore(self, values: np.ndarray, like: nw.Series) -> Any:
        steps = np.rint(values.clip(self.low, self.high) * (DAY / self.step))
        return _native((steps * self.step).astype(np.int64).view("datetime64[us]"), like)


def _clock(series: nw.Series) -> np.ndarray:
    """Datetimes as the clock of their zone shows them, without the zone."""
    if series.implementation.is_pandas():
        return series.to_native().dt.tz_localize(None).to_numpy()
    if series.dtype == nw.Date:
        return series.to_numpy()
    return series.dt.replace_time_zone(None).to_numpy()


@dataclass(frozen=True)
class Levels:
    """Labels of any dtype: codes 0, 1, ... of those seen; -1 for any other."""

    seen: nw.Series  # one cell for each level, in the column's own dtype
    index: pd.Index

    kind: ClassVar[str] = "levels"

    @classmethod
    def learn(cls, series: nw.Series) -> "Levels":
        values = series.to_numpy()
        codes, levels = pd.factorize(values)
        first = np.unique(codes[codes >= 0], return_index=True)[1]
        rows = np.flatnonzero(codes >= 0)[first]
        order = _order(series, levels)
        return cls(series[rows[order].tolist()], pd.Index(np.asarray(levels)[order]))

    def read(self, series: nw.Series) -> np.ndarray:
        values = series.to_numpy()
        codes = self.index.get_indexer(values).astype(np.float64)
        codes[pd.isna(values)] = np.nan
        return codes

    def restore(self, values: np.ndarray, like: nw.Series) -> Any:
        return self.seen[values.astype(np.intp)].to_native()


def _order(series: nw.Series, levels: np.ndarray) -> np.ndarray:
    """Levels as their categories are ordered, or else sorted, or else as they came."""
    if series.dtype == nw.Enum:
        return pd.Index(series.cat.get_categories().to_list()).get_indexer(levels).argsort()
    try:
        return np.argsort(levels, kind="stable")
    except TypeError:  # text among numbers
        return np.arange(len(levels))


def _native(values: np.ndarray, like: nw.Series) -> Any:
    """A series of the dtype and library of another."""
    if like.implementation.is_pandas():
        series, dtype = pd.Series(values), like.to_native().dtype
        if isinstance(dtype, pd.DatetimeTZDtype):  # an hour that summer time skips or repeats is taken as the later one
            series = series.dt.tz_localize(dtype.tz, ambiguous=np.zeros(len(series), bool), nonexistent="shift_forward")
        return series.astype(dtype)
    series = nw.new_series(like.name, values, backend=like.implementation)
    zone = getattr(like.dtype, "time_zone", None)
    if zone is not None:
        series = nw.from_native(_in_zone(series.to_native(), zone), series_only=True)
    return series.cast(like.dtype).to_native()


def _in_zone(series: Any, zone: str) -> Any:
    """A polars series of clock times in a zone; an hour that summer time skips or repeats is taken as the later one."""
    both = (series, series.dt.offset_by("1h"))
    there, after = (clock.dt.replace_time_zone(zone, ambiguous="latest", non_existent="null") for clock in both)
    return there.zip_with(there.is_not_null(), after)
