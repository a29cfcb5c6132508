"""How rates move while training, when it ends, and which state was best.

All count parts: an epoch is one, or several where it is long.
"""

from math import ceil
from typing import Any, NamedTuple, Self

import numpy as np

from skvae.schedules import Schedule

COOL_DOWN = 0.25  # parts with a falling rate per part before them
MOST_PARTS = 3  # of an epoch that early stopping takes for an epoch


class Pace(NamedTuple):
    """Where the rates are: the learning rate is kept and then falls; beta follows a schedule."""

    learning_rate: float
    schedule: Schedule
    max_iter: int  # epochs
    parts: int  # of an epoch
    last_beta: float
    settled: int  # the first part from which on beta stays
    fall: int  # the part from which on the learning rate falls
    end: int

    @classmethod
    def of(cls, learning_rate: float, schedule: Schedule, max_iter: int, parts: int) -> Self:
        """The pace of a fit that never stalls."""
        end = max_iter * parts
        last_beta = float(schedule.beta_at(max_iter, max_iter, 1 / parts))
        settled = max(0, ceil(schedule.settles(max_iter) * parts) - 1)
        fall = ceil(end / (1 + COOL_DOWN))
        pace = cls(learning_rate, schedule, max_iter, parts, last_beta, settled, fall, end)
        while pace.settled and pace.beta(pace.settled - 1) == last_beta:  # cycles of a part each
            pace = pace._replace(settled=pace.settled - 1)
        return pace

    def falling_from(self, part: int) -> Self:
        """The pace after a stall: the rate falls from a part on; or ends, if it always fell."""
        if part >= self.fall:
            return self if self.fall else self._replace(end=part)
        return self._replace(fall=part, end=min(self.end, part + ceil(COOL_DOWN * part)))

    def rate(self, part: int) -> float:
        """The learning rate of a part."""
        share = (self.end - part) / (self.end - self.fall + 1)
        return self.learning_rate * min(1.0, share)

    def beta(self, part: int) -> float:
        """The KL term's weight in a part."""
        epochs = (part + 1) / self.parts
        beta = float(self.schedule.beta_at(epochs, self.max_iter, 1 / self.parts))
        if not 0 <= beta < np.inf:
            raise ValueError(
                f"beta={self.schedule} gave {beta} for the part that ends after {epochs:g} epochs, "
                "but a finite number of at least 0 is expected."
            )
        return beta

    @property
    def stalled(self) -> bool:
        """Whether the learning rate fell before `max_iter` made it."""
        return self.fall < ceil(self.max_iter * self.parts / (1 + COOL_DOWN))

    def patience(self, n_iter_no_change: int) -> int:
        """Parts without a gain after which training counts as stalled."""
        return n_iter_no_change * min(self.parts, MOST_PARTS)


class Watch(NamedTuple):
    """The best state so far, and whether the loss has stopped falling."""

    patience: int | None  # parts without a gain that count as a stall; None never looks
    tol: float
    first: int  # the first part that is looked at
    best: Any = None
    best_part: int | None = None
    lowest: tuple[int, float] = (0, np.inf)  # infinite losses, and the mean of the others
    reference: np.ndarray | None = None
    waited: int = 0

    def seen(self, part: int, losses: np.ndarray, state: Any) -> Self:
        """The watch after a part, with the losses of rows that judge it."""
        if self.patience is None or part < self.first:
            return self
        new, mark = self, _mark(losses)
        if self.best is None or mark < self.lowest:
            new = new._replace(lowest=mark, best=state, best_part=part)
        if self.reference is None or _gain(self.reference, losses) > self.tol:
            return new._replace(reference=losses, waited=0)
        return new._replace(waited=self.waited + 1)

    @property
    def stalls(self) -> bool:
        """Whether `patience` parts have passed without a gain."""
        return self.patience is not None and self.waited >= self.patience


def _mark(losses: np.ndarray) -> tuple[Any, float]:
    """What the best state has least of: rows that it finds impossible, then nats of the others."""
    finite = np.isfinite(losses)
    return np.count_nonzero(~finite), float(losses[finite].mean()) if finite.any() else np.inf


def _gain(before: np.ndarray, after: np.ndarray) -> float:
    """By how much paired losses have fallen, beyond the standard error of their mean."""
    was, now = np.isfinite(before), np.isfinite(after)
    if now.sum() > was.sum():
        return np.inf
    gains = before[was & now] - after[was & now]
    noise = gains.std(ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    return gains.mean() - noise if len(gains) else 0.0
