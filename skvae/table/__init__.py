"""The user's table and the encoded cells, in both directions: the only room that knows pandas, polars and SciPy."""

from skvae.table._cells import Cells, Dense, Parts, Sparse, parted
from skvae.table._codec import Codec, Encoded
from skvae.table._conditions import conditions, overlaid
from skvae.table._frames import Frame
from skvae.table._input import FLOATS, Rows, checked

__all__ = [
    "FLOATS",
    "Cells",
    "Codec",
    "Dense",
    "Encoded",
    "Frame",
    "Parts",
    "Rows",
    "Sparse",
    "checked",
    "conditions",
    "overlaid",
    "parted",
]
