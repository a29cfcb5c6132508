"""How the learning rate is kept and then falls, when training ends, and which state was best."""

from typing import Any, NamedTuple, Self

import numpy as np

COOL_DOWN = 0.25  # epochs with a falling rate per epoch before them


class Pace(NamedTuple):
    """Where the rates are: kept, then falling, until training ends."""

    learning_rate: float
    betas: np.ndarray  # the KL term's weight in each epoch
    fall: int  # the epoch from which on the learning rate falls
    end: int

    @classmethod
    def of(cls, learning_rate: float, betas: np.ndarray) -> Self:
        """The pace of a fit that never stalls."""
        return cls(learning_rate, betas, int(np.ceil(len(betas) / (1 + COOL_DOWN))), len(betas))

    def falling_from(self, epoch: int) -> Self:
        """The pace after a stall: the rate falls from an epoch on."""
        if epoch >= self.fall:
            return self
        end = min(self.end, epoch + int(np.ceil(COOL_DOWN * epoch)))
        return self._replace(fall=epoch, end=end)

    def share(self, epoch: int) -> float:
        """The share of the learning rate that an epoch gets."""
        return min(1.0, (self.end - epoch) / (self.end - self.fall + 1))


class Watch(NamedTuple):
    """The best state so far, and whether the loss has stopped falling."""

    patience: int | None  # None never looks
    tol: float
    first: int  # the first epoch that is looked at
    best: Any = None
    lowest: float = np.inf
    reference: np.ndarray | None = None
    waited: int = 0

    def seen(self, epoch: int, losses: np.ndarray, state: Any) -> Self:
        """The watch after an epoch."""
        if self.patience is None or epoch < self.first:
            return self
        new = self
        if losses.mean() < self.lowest:
            new = new._replace(lowest=losses.mean(), best=state)
        if self.reference is None or _gain(self.reference, losses) > self.tol:
            return new._replace(reference=losses, waited=0)
        return new._replace(waited=self.waited + 1)

    @property
    def stalls(self) -> bool:
        """Whether `patience` epochs have passed without a gain."""
        return self.patience is not None and self.waited >= self.patience


def _gain(before: np.ndarray, after: np.ndarray) -> float:
    """By how much paired losses have fallen, beyond the standard error of their mean."""
    gains = before - after
    noise = gains.std(ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    return gains.mean() - noise
