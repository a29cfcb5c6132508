"""A column on the scale of normal scores: a smooth increasing map of the real line, and back."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtri

from skvae.likelihoods._base import mean_and_deviation
from skvae.likelihoods._placement import merged, near_ends, without_ends

SHARE, KNOTS = 0.7, (5, 100)  # so many for the root of the number of values; fewest and most
SHIFTS = np.linspace(-0.4, 0.4, 5)  # of knots' quantiles, to average over: they scatter less
TAIL = 5  # fewest values beyond a knot near an end
LINEAR = 20  # values for which the linear map counts: few make a rough one
# Where values repeat, for so many each, unless they reach farther than so many deviations.
LINEAR_OF_REPEATED, REACH = 2, 4.0
PART = 2**16  # values whose scores are made at once
APART = 1e-9  # least distance between knots
LARGEST = np.finfo(np.float64).max
MOST_LOG = 700.0  # exp of it is still finite
LATTICE = np.sinh(np.linspace(-7.0, 7.0, 401))  # scores at which values are noted: dense around 0


@dataclass(frozen=True)
class Warp:
    """A map of a column under which it is about standard normal: a value becomes a score.

    That is the normal quantile of its rank among the values of `fit`, averaged with the linear map
    (of few values more, and of such that repeat, whose ranks say little of how they differ), and
    smoothed: rational quadratic between knots, with slopes that keep it increasing (Gregory,
    Delbourgo 1982, Piecewise rational quadratic interpolation to monotonic data). Beyond the first
    and the last knot it grows so slowly that a normal density falls as the square of the distance.
    """

    origin: float
    unit: float  # of X, in which knots count from the origin on
    knots: np.ndarray  # ascending, (k,)
    scores: np.ndarray  # of the knots
    slopes: np.ndarray  # of scores there, for units
    ends: tuple[float, float]  # of what comes back
    n_slots: ClassVar[int] = 0
    atoms: ClassVar[tuple[float, ...]] = ()

    @classmethod
    def learn(cls, X: np.ndarray, min_count: int = 1) -> "Warp":
        """The map of a column; `min_count` values lie beyond and between its knots."""
        inner = np.sort(without_ends(X, min_count))
        ends = inner[0], inner[-1]
        if not inner[0] < inner[-1]:  # too few values to show any map but a linear one
            pair = np.array([-1.0, 1.0])
            return cls(*mean_and_deviation(X), pair, pair, np.ones(2), ends)
        low, high = near_ends(inner)
        near, n = (inner.clip(low, high) - low) / (high - low), len(inner)
        center, deviation = mean_and_deviation(near)
        knots = _knots(near, min_count)
        linear = (knots - center) / deviation
        weight = LINEAR + _repeated(near, np.abs(linear).max())
        scores = (n * _normal_scores(knots, near) + weight * linear) / (n + weight)
        warp = cls(low, high - low, knots, scores, _slopes(knots, scores), ends)
        return warp._standardised(inner.clip(low, high))

    def _standardised(self, X: np.ndarray) -> "Warp":
        """The same with scores of these values of mean 0 and deviation 1, which ties move."""
        starts = range(0, len(X), PART)
        scores = np.concatenate([self.encode(X[i : i + PART])[0] for i in starts])
        mean, unit = mean_and_deviation(scores)
        return replace(self, scores=(self.scores - mean) / unit, slopes=self.slopes / unit)

    @property
    def near(self) -> tuple[float, float]:
        with np.errstate(over="ignore"):  # clipped
            low, high = (self.origin + self.unit * self.knots[[0, -1]]).clip(-LARGEST, LARGEST)
        return float(low), float(high)

    def encode(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(over="ignore"):
            X = ((X - self.origin) / self.unit).clip(-LARGEST, LARGEST)
            i = np.searchsorted(self.knots[1:-1], X, side="right")
            width, rise, first, last = (part[i] for part in self._segments())
            t = ((X - self.knots[i]) / width).clip(0.0, 1.0)
            beyond = np.maximum(self.knots[0] - X, X - self.knots[-1]).clip(0.0, LARGEST)
        both = t * (1 - t)
        below = rise + (first + last - 2 * rise) * both
        scores = self.scores[i] + rise * (rise * t**2 + first * both) / below
        slope = last * t**2 + 2 * rise * both + first * (1 - t) ** 2
        log_slope = 2 * np.log(rise / below) + np.log(slope) - np.log(width)
        more, log_tail = self._tail(beyond, self.knots[-1] < X)
        return scores + more, np.where(beyond > 0, log_tail, log_slope) - np.log(self.unit)

    def decode(self, cells: np.ndarray) -> np.ndarray:
        i = np.searchsorted(self.scores[1:-1], cells, side="right")
        width, rise, first, last = (part[i] for part in self._segments())
        up = (cells - self.scores[i]).clip(0.0, rise)
        bend = up * (first + last - 2 * rise)
        a, b, c = rise * (rise - first) + bend, rise * first - bend, -rise * up
        t = 2 * c / (-b - np.sqrt(np.maximum(b**2 - 4 * a * c, 0.0)))
        beyond = np.maximum(self.scores[0] - cells, cells - self.scores[-1]).clip(0.0)
        values = self.knots[i] + width * t + self._far(beyond, cells > 0)
        with np.errstate(over="ignore"):  # clipped
            return (self.origin + self.unit * values).clip(*self.ends)

    def points(self) -> np.ndarray:
        """The value at each score of the lattice."""
        return self.decode(LATTICE).clip(*self.near)

    def _segments(self) -> tuple[np.ndarray, ...]:
        """Between knots: width, rise, and the slopes at both ends, of scores for that width."""
        width = np.diff(self.knots)
        return width, np.diff(self.scores), width * self.slopes[:-1], width * self.slopes[1:]

    def _end(self, is_high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The slope at an end, and the score from which the tail begins, of at least 1."""
        start = np.where(is_high, self.scores[-1], -self.scores[0])
        return np.where(is_high, self.slopes[-1], self.slopes[0]), np.maximum(start, 1.0)

    def _tail(self, beyond: np.ndarray, is_high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the score gains beyond an end, and the logarithm of its slope."""
        slope, start = self._end(is_high)
        with np.errstate(over="ignore"):
            grown = np.log1p(np.minimum(start * slope * beyond, LARGEST))
        score = np.sqrt(start**2 + 2 * grown)
        return np.where(is_high, 1, -1) * (score - start), np.log(slope * start / score) - grown

    def _far(self, beyond: np.ndarray, is_high: np.ndarray) -> np.ndarray:
        """How far beyond an end the value lies whose score is so far beyond that of the end."""
        slope, start = self._end(is_high)
        grown = (beyond * (beyond + 2 * start) / 2).clip(max=MOST_LOG)
        return np.where(is_high, 1, -1) * np.expm1(grown) / (slope * start)


def lattice_place(scores: Any, xp: Any) -> Any:
    """Where scores lie among those of the lattice, as a number from 0 on."""
    first, last = np.arcsinh(LATTICE[[0, -1]]).tolist()
    return (xp.arcsinh(scores) - first) * ((len(LATTICE) - 1) / (last - first))


def _knots(X: np.ndarray, min_count: int) -> np.ndarray:
    """Quantiles of ascending values from 0 to 1, and these."""
    fewest, most = KNOTS
    k = max(1, min(int(np.clip(SHARE * len(X) ** 0.5, fewest, most)), len(X) // min_count))
    middle = (np.arange(k) + 0.5) / k + SHIFTS[:, None] / k
    tail = 0.5 ** np.arange(2, 10) / k
    tail = tail[tail * len(X) >= max(TAIL, min_count)]
    smooth = np.quantile(X, middle).mean(axis=0)
    knots = np.unique(np.concatenate([[0.0, 1.0], smooth, np.quantile(X, [*tail, *1 - tail])]))
    knots = knots[np.append(True, np.diff(knots) > APART)]
    knots[-1] = 1.0
    return merged(knots, X, min_count)


def _normal_scores(knots: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The normal quantiles of the shares of ascending values below knots, with half of those there.

    Between values they are interpolated.
    """
    last = np.searchsorted(X, knots, side="right") - 1
    beside = X[np.unique([last, last + 1]).clip(0, len(X) - 1)]
    ranks = np.searchsorted(X, beside) + np.searchsorted(X, beside, side="right")
    return ndtri(np.interp(knots, beside, ranks / (2 * len(X))))


def _repeated(X: np.ndarray, reach: float) -> float:
    """For how many values more the linear map counts since some of ascending ones repeat."""
    n_repeats = np.count_nonzero(X[1:] == X[:-1])
    return LINEAR_OF_REPEATED * n_repeats * min(1.0, REACH / reach) ** 2


def _slopes(knots: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Slopes at the knots that keep the map increasing."""
    steep = np.diff(scores) / np.diff(knots)
    if len(knots) == 2:
        return np.repeat(steep, 2)
    slopes = PchipInterpolator(knots, scores).derivative()(knots)
    slopes[[0, -1]] = steep[[0, -1]]
    return slopes
