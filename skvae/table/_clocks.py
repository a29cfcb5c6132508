"""Datetimes of UTC, and on the clocks of time zones, which pandas is asked for."""

from typing import Any

import numpy as np
import pandas as pd


def clock(times: np.ndarray, zone: str | None) -> np.ndarray:
    """Datetimes of UTC as the clock of a zone shows them."""
    if zone is None:
        return times
    zone = zone.removeprefix("dateutil/")  # the same clock, which pandas can read
    inside = _within_calendars(times)
    there = pd.Series(inside).dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    return _shifted(times, there.to_numpy() - inside)


def utc(times: np.ndarray, zone: str | None, first: bool = False) -> np.ndarray:
    """Datetimes of a clock in UTC; of hours that summer time skips or repeats, the later one."""
    if zone is None:
        return times
    zone, inside = zone.removeprefix("dateutil/"), _within_calendars(times)
    there = pd.Series(inside).dt.tz_localize(
        zone, ambiguous=np.full(len(times), first), nonexistent="shift_forward"
    )
    return _shifted(times, there.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy() - inside)


def is_first(times: np.ndarray, zone: str) -> bool:
    """Whether datetimes of UTC only come back if repeated hours are taken as the first one."""
    shown = clock(times, zone)
    first, second = utc(shown, zone, True), utc(shown, zone, False)
    return bool((first == times).all() and (second != times).any())


def _shifted(times: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Datetimes moved by durations, and no further than they can be."""
    ticks, by = times.astype(np.int64), by.astype(np.int64)
    by[np.isnat(times)] = 0
    most = np.iinfo(np.int64).max
    ends = -most - np.minimum(by, 0), most - np.maximum(by, 0)
    moved = (ticks.clip(*ends) + by).view(times.dtype)
    return np.where(np.isnat(times), times, moved)


def _within_calendars(times: np.ndarray) -> np.ndarray:
    """Datetimes brought into the years that time zones are known for."""
    unit: Any = np.datetime_data(times.dtype)[0]
    first, last = ("1700", "2260") if unit == "ns" else ("0002", "9998")
    return np.clip(times, np.datetime64(first, unit), np.datetime64(last, unit))
