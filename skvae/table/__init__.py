"""The user's table and encoded cells, both ways: only this room knows pandas, polars and SciPy."""

from skvae.table._arranged import arranged, weights_of
from skvae.table._aside import Aside
from skvae.table._cells import Cells, Dense, Sparse, parted
from skvae.table._codec import Codec, Encoded, with_holes
from skvae.table._columns import Feature
from skvae.table._conditions import conditions, overlaid
from skvae.table._doubts import warn_of_doubts
from skvae.table._dtypes import EXACT
from skvae.table._formats import UNITS, Levels, Numbers, Times
from skvae.table._frames import Frame
from skvae.table._input import FLOATS, Rows, checked, listed, nearest_first, parts
from skvae.table._scaling import LARGEST

__all__ = [
    "EXACT",
    "FLOATS",
    "LARGEST",
    "UNITS",
    "Aside",
    "Cells",
    "Codec",
    "Dense",
    "Encoded",
    "Feature",
    "Frame",
    "Levels",
    "Numbers",
    "Rows",
    "Sparse",
    "Times",
    "arranged",
    "checked",
    "conditions",
    "listed",
    "nearest_first",
    "overlaid",
    "parted",
    "parts",
    "warn_of_doubts",
    "weights_of",
    "with_holes",
]
