"""Columns that no model can learn: identifiers, which are made anew, and free text."""

import re
from typing import Any, NamedTuple, Self

import narwhals.stable.v2 as nw
import numpy as np

from skvae._sklearn import warn
from skvae.table._frames import Frame, columns_of, names_of
from skvae.table._input import Rows, listed
from skvae.table._series import Dtype
from skvae.table._values import Values

FEWEST = 50  # rows in which cells that all differ are no accident
# Numbers that all differ are no measurements among at most so many times as many, where of such one
# in a million would have no two alike (birthdays: the square of the count by this).
DENSE = 10, 28
DIFFERENT = 0.9, 0.5  # shares of different cells from which on text is an identifier, or free text
NAMED = re.compile(
    r"(^|[\W_])(id|uuid|guid|key|index|nr|no|number|code)$|[a-z]I[dD]$", re.IGNORECASE
)


class Following(NamedTuple):
    """Whole numbers that follow the largest one seen."""

    first: int

    def made(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self.first + np.arange(n)


class Codes(NamedTuple):
    """Text of one length, of the characters that were seen at each place."""

    alphabets: tuple[str, ...]

    @classmethod
    def of(cls, texts: list[str]) -> Self:
        """Like texts of the length that most of them have."""
        lengths = np.array(list(map(len, texts)))
        usual = np.bincount(lengths).argmax()
        places = zip(*(text for text in texts if len(text) == usual), strict=True)
        return cls(tuple("".join(sorted(set(place))) for place in places))

    def made(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Texts that differ, with a number behind where there are not as many."""
        places = [rng.choice(list(alphabet), n) for alphabet in self.alphabets]
        texts = np.empty(n, object)
        seen: dict = {}
        for i, characters in enumerate(zip(*places, strict=True)):
            text = "".join(characters)
            seen[text] = seen.get(text, 0) + 1
            texts[i] = text if seen[text] == 1 else f"{text}-{seen[text]}"
        return texts


class Aside(NamedTuple):
    """Columns that were set aside, and how they come back."""

    frame: Frame  # of the whole table
    columns: dict[Any, tuple[Dtype, Following | Codes | None]]  # by name; None for free text

    @classmethod
    def of(cls, X: Any, rows: Rows) -> Self:
        """Those of a table, with a warning that names them."""
        found = {}
        for name, column in zip(rows.names, rows.columns(), strict=True):
            how = how_made(name, column) if rows.frame is not None else None
            if how is not None:
                found[name] = column.dtype, *how
        if found:
            _warn(found)
        return cls(Frame.of(X, rows.names), found)

    def rest(self, X: Any) -> Any:
        """The table without them."""
        if not self.columns:
            return X
        names = list(self.columns)
        if hasattr(X, "iloc"):
            return X.drop(columns=names)
        return nw.from_native(X).drop(names).to_native()

    def back(self, table: Any, rng: np.random.Generator) -> Any:
        """A table of the others with them in their places."""
        if not self.columns:
            return table
        rows = table.reset_index(drop=True) if hasattr(table, "iloc") else table
        columns = dict(zip(names_of(rows), columns_of(rows), strict=True))
        for name, (dtype, maker) in self.columns.items():
            columns[name] = _made(dtype, maker, len(rows), rng)
        return self.frame.table([columns[name] for name in self.frame.names], len(rows), table)


def _warn(found: dict) -> None:
    """Say which columns are set aside."""
    made = [name for name, (_, maker) in found.items() if maker is not None]
    text = [name for name in found if name not in made]
    says = [f"{listed(made)} are identifiers and made anew"] * bool(made)
    says += [f"{listed(text)} are free text and left missing"] * bool(text)
    warn(f"Columns without a part in the model: {'; '.join(says)}.")


def how_made(name: Any, column: Values) -> tuple | None:
    """How a column that no model learns comes back, as the one in a tuple; None for others."""
    if column.meaning not in ("integer", "category"):
        return None
    seen = column.plain()[~column.holes]
    if len(seen) < FEWEST:
        return None
    if column.meaning == "integer":
        return _of_numbers(name, seen)
    texts = seen.tolist()
    return _of_texts(texts) if all(isinstance(text, str) for text in texts) else None


def _of_numbers(name: Any, seen: np.ndarray) -> tuple | None:
    """The same of whole numbers."""
    low, high = int(seen.min()), int(seen.max())
    if len(np.unique(seen)) < len(seen):
        return None
    many, chance = DENSE
    dense = high - low < min(many * len(seen), len(seen) ** 2 / chance)
    if dense or NAMED.search(str(name)):
        return (Following(high + 1),)
    return None


def _of_texts(texts: list[str]) -> tuple | None:
    """The same of text."""
    (identifies, says), share = DIFFERENT, len(set(texts)) / len(texts)
    words = np.mean([" " in text.strip() for text in texts]) > 0.5
    if share >= identifies and not words:
        return (Codes.of(texts),)
    return (None,) if share >= says else None


def _made(dtype: Dtype, maker: Following | Codes | None, n: int, rng: np.random.Generator) -> Any:
    """A native column, made anew, or empty."""
    if maker is None:
        return dtype.series(np.full(n, None, object), np.ones(n, bool))
    cells = maker.made(n, rng)
    return dtype.with_levels(cells.tolist() if cells.dtype == object else ()).series(cells)
