"""Encoded cells in a file: more rows than memory holds, a block of them at a time."""

from os import PathLike
from shutil import disk_usage
from tempfile import TemporaryFile, gettempdir
from typing import Any

import numpy as np

from skvae._memory import aligned
from skvae.table._cells import Dense

NUMBERS = 2**24  # of a block: 64 MiB
ITEM = 4  # bytes of a number


class File:
    """A temporary file without a name, which is closed, and so gone, with the last of its users."""

    opened: Any = None

    def __init__(self, folder: str | PathLike[str]):
        self.opened = TemporaryFile(dir=folder)  # noqa: SIM115

    def __del__(self) -> None:
        if self.opened is not None:
            self.opened.close()

    def write(self, place: int, x: np.ndarray) -> None:
        """Put numbers to a place, which is counted in numbers."""
        self.opened.seek(place * ITEM)
        self.opened.write(np.ascontiguousarray(x).data)

    def read(self, place: int, x: np.ndarray) -> np.ndarray:
        """Fill an array with the numbers from a place on."""
        self.opened.seek(place * ITEM)
        self.opened.readinto(x.data.cast("B"))
        return x


class Stored:
    """Rows in a file.

    It is what training asks of `Cells`. Rows are dealt to the blocks as they come, so that each
    block has its share of all of them.
    """

    sparse = False

    def __init__(self, file: File, heights: list[int], width: int, holes: bool, columns: slice):
        self.file, self.heights, self.width = file, heights, width
        self.holes, self.columns = holes, columns

    def __len__(self) -> int:
        return sum(self.heights)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self), len(range(self.width)[self.columns])

    def block(self, k: int) -> Dense:
        """The rows of a block, in memory."""
        x = aligned((self.heights[k], self.width))
        return Dense(self.file.read(sum(self.heights[:k]) * self.width, x)[:, self.columns])

    def share(self, n: int, rank: int) -> "Stored":
        """These rows are one already."""
        return self

    def span(self, start: int, stop: int) -> "Stored":
        """Some neighbouring columns."""
        return Stored(self.file, self.heights, self.width, self.holes, slice(start, stop))

    def any_holes(self) -> bool:
        """Whether there is a hole."""
        return self.holes


class Store:
    """Takes encoded rows, n in all, and deals them to the blocks of a file."""

    def __init__(
        self, n: int, width: int, folder: str | PathLike[str] | None, rng: np.random.Generator
    ):
        n_blocks = max(1, -(-n * width // NUMBERS))
        self.heights = [len(range(k, n, n_blocks)) for k in range(n_blocks)]
        self.width, self.rng, self.done, self.holes = width, rng, 0, False
        folder, size = gettempdir() if folder is None else folder, n * width * ITEM
        if size > (free := disk_usage(folder).free):
            raise OSError(
                f"The encoded rows take {size / 1e9:.3g} GB, but {str(folder)!r} has "
                f"{free / 1e9:.3g} GB left; give Blocks another folder."
            )
        self.file = File(folder)

    def add(self, x: np.ndarray, apart: np.ndarray) -> np.ndarray:
        """Take rows in float32 but for those at some places, which are given back."""
        own = self.rng.permutation(np.delete(x, apart, axis=0))
        self.holes = self.holes or bool(np.isnan(np.min(own, initial=0.0)))
        n = len(self.heights)
        for k in range(n):
            place = sum(self.heights[:k]) + len(range(k, self.done, n))
            self.file.write(place * self.width, own[(k - self.done) % n :: n])
        self.done += len(own)
        return x[apart]

    def stored(self) -> Stored:
        """The rows, once all have come."""
        return Stored(self.file, self.heights, self.width, self.holes, slice(None))
