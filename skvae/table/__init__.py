"""The user's table and encoded cells, both ways: only this room knows pandas, polars and SciPy."""

from skvae.table import _sources as sources
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
from skvae.table._sampled import Sampled, alike, joined, rows_at, sampled, some
from skvae.table._scaling import LARGEST
from skvae.table._stored import Store, Stored

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
    "Sampled",
    "Sparse",
    "Store",
    "Stored",
    "Times",
    "alike",
    "arranged",
    "checked",
    "conditions",
    "joined",
    "listed",
    "nearest_first",
    "overlaid",
    "parted",
    "parts",
    "rows_at",
    "sampled",
    "some",
    "sources",
    "warn_of_doubts",
    "weights_of",
    "with_holes",
]
