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


def one_panel(ax: Any, size: tuple = (6.4, 4.8)) -> Any:
    """The Axes that were given, or those of a new figure."""
    return new_figure(size).subplots() if ax is None else ax


def panels(ax: Any, shape: tuple, size: tuple, **grid: Any) -> np.ndarray:
    """Axes in rows and columns, in a new figure or in the place of those that were given."""
    pyplot()
    place = new_figure(size).add_gridspec(1, 1)[0] if ax is None else place_of(ax)
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


def tiles(ax: Any, n: int, across: int, size: tuple = (2.6, 2.2)) -> list:
    """n panels, so many in a row; those that are left over in the last one are not drawn."""
    across = max(1, min(n, across))
    shape = -(-n // across), across
    axes = panels(ax, shape, (size[0] * across + 0.6, size[1] * shape[0] + 0.4)).ravel()
    for empty in axes[n:]:
        empty.remove()
    return list(axes[:n])


def short(name: Any, most: int = MOST_LETTERS) -> str:
    """A name that fits: without its middle if it is long."""
    text = " ".join(str(name).split()).replace("$", r"\$")
    if len(text) <= most or most < MOST_LETTERS // 2:
        return text if len(text) <= most else f"{text[: most - 1]}…"
    return f"{text[: most * 2 // 3 - 1]}…{text[-most // 3 + 1 :]}"


def colour(i: int) -> str:
    """The colour of the i-th label, again from the first one after the last."""
    from matplotlib.colors import to_rgb

    dark = sum(to_rgb(pyplot().rcParams["axes.facecolor"])) < 1.5
    i = i % len(COLOURS)
    swapped = {0: 5, 5: 0} if dark else {}  # dark blue is for white panels
    return COLOURS[swapped.get(i, i)]


def left_out(shown: int, of: int, what: str, which: str) -> str:
    """What a title says of those that are not shown; nothing if all are."""
    return f"{shown} of {of} {what}: {which}" if shown < of else ""


def quiet(ax: Any, text: str, place: tuple, **settings: Any) -> Any:
    """A small grey remark, by shares of the panel."""
    style = {"transform": ax.transAxes, "fontsize": 8, "color": GREY, "va": "top"}
    return ax.text(*place, text, **style | settings)


def as_dates(axis: Any) -> None:
    """Days since 1970 along an axis as dates."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=2, maxticks=6)
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator))


def grid_labels(ax: Any, rows: Sequence, columns: Sequence) -> None:
    """Names of the rows and columns of a heat map."""
    ax.set_yticks(range(len(rows)), [short(name, 16) for name in rows], fontsize=7)
    ax.set_xticks(range(len(columns)), [short(name, 16) for name in columns], fontsize=7)
    ax.tick_params(axis="x", rotation=90)
    ax.tick_params(length=0)


def grid_of_colours(ax: Any, values: np.ndarray, shades: str, levels: list | None = None) -> Any:
    """A map of numbers, or of places among levels, from below upwards; its colour bar."""
    if levels is None:
        image = ax.imshow(values, cmap=shades, origin="lower", aspect="auto")
        bar = ax.figure.colorbar(image, ax=ax)
        bar.ax.tick_params(labelsize=8)
        return bar
    from matplotlib.colors import ListedColormap

    places = range(len(levels))
    palette = ListedColormap([colour(i) if i < len(COLOURS) else GREY for i in places])
    limits = {"vmin": -0.5, "vmax": len(levels) - 0.5}
    image = ax.imshow(values, cmap=palette, origin="lower", aspect="auto", **limits)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_ticks(places, labels=[short(level, 14) for level in levels], fontsize=8)
    return bar
