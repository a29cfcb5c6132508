"""The user's table and encoded cells, both ways: only this room knows pandas, polars and SciPy."""

from skvae.table._arranged import arranged, weights_of
from skvae.table._aside import Aside
from skvae.table._cells import Cells, Dense, Sparse, parted
from skvae.table._codec import Codec, Encoded, with_holes
from skvae.table._conditions import conditions, overlaid
from skvae.table._doubts import warn_of_doubts
from skvae.table._frames import Frame
from skvae.table._input import FLOATS, Rows, checked, listed, nearest_first

__all__ = [
    "FLOATS",
    "Aside",
    "Cells",
    "Codec",
    "Dense",
    "Encoded",
    "Frame",
    "Rows",
    "Sparse",
    "arranged",
    "checked",
    "conditions",
    "listed",
    "nearest_first",
    "overlaid",
    "parted",
    "warn_of_doubts",
    "weights_of",
    "with_holes",
]
