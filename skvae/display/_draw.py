"""What pictures share: figures and panels, colours, names that fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# Told apart by colour-blind people too, on white and on black (Okabe, Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
GREY = "#8C8C8C"  # what is quiet
MARKERS = ("o", "^", "s", "D")  # with as many colours: labels that a scatter tells apart
SHADES, DIFFERENCES = "viridis", "RdBu_r"  # of what grows, and of what has two sides
MOST_LETTERS = 24


def pyplot() -> Any:
    """The module matplotlib.pyplot, if it is installed."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as missing:
        raise ImportError(
            "matplotlib is not installed, but pictures are drawn by it; run "
            "'pip install matplotlib'."
        ) from missing
    return plt


def new_figure(size: tuple) -> Any:
    """An empty figure of so many inches in which nothing overlaps."""
    return pyplot().figure(figsize=size, layout="constrained")


def one_panel(ax: Any, size: tuple = (6.4, 4.8)) -> np.ndarray:
    """The Axes that were given, or those of a new figure, as an array of one row and column."""
    return np.array([[new_figure(size).subplots() if ax is None else ax]])


def panels(ax: Any, shape: tuple, size: tuple, **grid: Any) -> np.ndarray:
    """Axes in rows and columns, in a new figure or in the place of those that were given."""
    place = new_figure(size).add_gridspec()[0] if ax is None else place_of(ax)
    return place.subgridspec(*shape, **grid).subplots(squeeze=False)


def place_of(ax: Any) -> Any:
    """The place of Axes in their figure, which they leave."""
    place = getattr(ax, "get_subplotspec", lambda: None)()
    if place is None:
        raise ValueError(
            f"ax={ax!r} cannot be divided into the panels of this picture; give one of those that "
            "plt.subplots makes, or None for a new figure."
        )
    ax.set_axis_off()
    return place


def tiles(ax: Any, n: int, across: int, size: tuple) -> list:
    """n panels of a size, so many in a row; the last row may be shorter."""
    across = max(1, min(n, across))
    shape = -(-n // across), across
    axes = list(panels(ax, shape, (size[0] * across + 0.6, size[1] * shape[0] + 0.4)).flat)
    while len(axes) > max(1, n):
        axes.pop().remove()
    return axes


def column_panels(ax: Any, columns: Sequence, n_columns: int, which: str, size: tuple) -> list:
    """A panel for each of some columns, four in a row, with their names; which ones they are."""
    axes = tiles(ax, len(columns), 4, size)
    tell_left_out(axes[0].figure, len(columns), n_columns, which)
    for panel, name in zip(axes, columns, strict=False):
        panel.set_title(short(name), fontsize=9)
        panel.tick_params(labelsize=8)
    return axes


def short(name: Any, most: int = MOST_LETTERS) -> str:
    """A name that fits: without its middle if it is long."""
    text = " ".join(str(name).split()).replace("$", r"\$")
    return text if len(text) <= most else _cut(text, most)


def _cut(text: str, most: int) -> str:
    """So many letters of a text; few are its first ones."""
    tail = text[-most // 3 + 1 :] if most >= MOST_LETTERS // 2 else ""
    return f"{text[: most - len(tail) - 1]}…{tail}"


def colour(i: int) -> str:
    """The colour of the i-th label, again from the first one after the last."""
    i = i % len(COLOURS)
    return COLOURS[{0: 5, 5: 0}.get(i, i) if on_dark() else i]  # dark blue is for white panels


def on_dark() -> bool:
    """Whether panels are dark, by the style in force."""
    from matplotlib.colors import to_rgb

    return sum(to_rgb(pyplot().rcParams["axes.facecolor"])) < 1.5


def left_out(shown: int, of: int, which: str) -> str:
    """What a title says of columns that are not shown; nothing if all are."""
    return f"{shown} of {of} columns: {which}".removesuffix(": ") if shown < of else ""


def tell_left_out(figure: Any, *columns: Any) -> None:
    """Say above all panels which columns are shown, if some are not and there is no title."""
    if left_out(*columns) and not figure.get_suptitle():
        figure.suptitle(left_out(*columns), fontsize=10)


def ticks(axis: Any, places: Sequence | np.ndarray, names: Sequence, size: int = 8) -> None:
    """Names, shortened, at places along an axis."""
    axis.set_ticks(places, [short(name, 16) for name in names], fontsize=size)


def quiet(ax: Any, text: str, place: tuple, **settings: Any) -> Any:
    """A small grey remark, by shares of the panel, on a ground that keeps lines off it."""
    ground = {"facecolor": ax.get_facecolor(), "alpha": 0.8, "lw": 0, "pad": 1}
    style = {"transform": ax.transAxes, "fontsize": 8, "color": GREY, "va": "top", "bbox": ground}
    return ax.text(*place, text, **style | settings)


def legend_above(ax: Any) -> None:
    """A legend between a panel's title and what is above, where it covers nothing."""
    from matplotlib.transforms import offset_copy

    above = offset_copy(ax.transAxes, ax.figure, y=18, units="points")
    style = {"frameon": False, "fontsize": 8, "borderpad": 0, "borderaxespad": 0, "ncols": 2}
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), bbox_transform=above, **style)


def as_dates(axis: Any) -> None:
    """Days since 1970 along an axis as dates."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=2, maxticks=6)
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator))


def dated(ax: Any, kind: str | None, sides: str) -> None:
    """Dates along some of the sides of Axes if a column is one of times; days if of durations."""
    for axis in (getattr(ax, f"{side}axis") for side in sides):
        if kind == "time":
            as_dates(axis)
        elif kind == "duration" and not axis.get_label_text():
            axis.set_label_text("days", fontsize=8)


def number_map(ax: Any, values: np.ndarray, **style: Any) -> Any:
    """A map of numbers, from below upwards, with a colour bar, which is given back."""
    image = ax.imshow(values, origin="lower", aspect="auto", **style)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.ax.tick_params(labelsize=8)
    return bar


def label_map(ax: Any, places: np.ndarray, levels: Sequence) -> None:
    """A map of places among labels, from below upwards, whose names are beside its colours."""
    from matplotlib.colors import ListedColormap

    numbers = range(len(levels))
    shades = ListedColormap([colour(i) if i < len(COLOURS) else GREY for i in numbers])
    bar = number_map(ax, places, cmap=shades, vmin=-0.5, vmax=len(levels) - 0.5)
    bar.set_ticks(numbers, labels=[short(level, 14) for level in levels])
