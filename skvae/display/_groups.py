"""Rows told apart by colours: labels with a legend, numbers and times with a colour bar."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skvae.display._draw import COLOURS, GREY, MARKERS, SHADES, colour, dated, pyplot, short
from skvae.display._tables import (
    DURATION,
    LABEL,
    NUMBER,
    Others,
    in_levels,
    kind_of,
    labels_of,
    levels_of,
    numbers_of,
    series_of,
)

MOST_LABELS = 12
FEW = 12  # whole numbers of so few values are told apart as labels
HOLE = "missing"


class Groups:
    """What colours tell of rows; nothing if y is None."""

    def __init__(self, y: Any, name: str | None = None):
        column = None if y is None else series_of(y)
        self.kind = None if y is None else _kind(column)
        self.name = getattr(y, "name", None) if name is None else name
        if self.kind == LABEL:
            (labels,) = labels_of(column)
            self.levels = _in_order(levels_of(labels, most=MOST_LABELS))
            self.places = in_levels(labels, self.levels)
        elif self.kind is not None:
            self.numbers = numbers_of(column)

    def scatter(self, ax: Any, x: np.ndarray, y: np.ndarray, **style: Any) -> None:
        """Points in their colours."""
        for rows, settings in self._parts():
            ax.scatter(x[rows], y[rows], **settings | style)

    @property
    def _holes(self) -> np.ndarray:
        return self.places < 0 if self.kind == LABEL else np.isnan(self.numbers)

    def _parts(self) -> Iterator[tuple]:
        """Rows and settings of each scatter, holes first, so that they lie below."""
        if self.kind is None:
            yield slice(None), {"color": colour(0)}
            return
        if self._holes.any():
            yield self._holes, {"color": GREY, "label": HOLE, "marker": "x", "linewidths": 0.8}
        if self.is_measured:
            yield ~self._holes, {"c": self.numbers[~self._holes], "cmap": SHADES}
            return
        yield from ((self.places == i, self._style(i)) for i in range(len(self.levels)))

    def _style(self, i: int) -> dict:
        """How points of the i-th label look."""
        marker, label = MARKERS[i // len(COLOURS)], short(self.levels[i])
        label = " " * label.startswith("_") + label  # else matplotlib keeps it off the legend
        above = 2 - np.mean(self.places == i)  # of points of labels that come more often
        return {"color": self._shade(i), "marker": marker, "label": label, "zorder": above}

    def _shade(self, i: int) -> str:
        return GREY if isinstance(self.levels[i], Others) else colour(i)

    @property
    def is_measured(self) -> bool:
        """Whether y is a number or a time."""
        return self.kind not in (None, LABEL)

    def hist(self, ax: Any, values: np.ndarray) -> None:
        """How often values come, with the labels one above the other."""
        edges = np.histogram_bin_edges(values, min(50, max(10, len(values) // 20)))
        parts = [(values[rows], style) for rows, style in self._parts()]
        look = {"color": [style["color"] for _, style in parts], "stacked": True}
        names = [style.get("label") for _, style in parts]
        ax.hist([part for part, _ in parts], edges, label=names, **look)
        self._legend(ax)

    def shades(self) -> Any:
        """A colour for each row."""
        if self.kind is None:
            return colour(0)
        return self._along() if self.is_measured else self._by_label()

    def _by_label(self) -> np.ndarray:
        shades = [self._shade(i) for i in range(len(self.levels))]
        return np.array([*shades, GREY])[self.places]

    def _along(self) -> np.ndarray:
        """Colours of numbers, as the colour bar has them."""
        from matplotlib.colors import Normalize

        shares = Normalize()(np.ma.masked_invalid(self.numbers))
        return pyplot().get_cmap(SHADES)(shares)

    def legend(self, axes: np.ndarray) -> None:
        """The colour bar beside a grid of Axes, or the legend: of several in their empty corner."""
        ax = axes[0, 0]
        if self.is_measured:
            beside = {"ax": axes.ravel().tolist(), "label": self.name, "aspect": 30}
            bar = ax.figure.colorbar(ax.collections[-1], **beside)
            bar.solids.set_alpha(1)
            dated(bar.ax, self.kind, "y")
        elif len(axes) == 1:
            self._legend(ax)
        else:
            handles, labels = ax.get_legend_handles_labels()
            corner = {"loc": "upper right", "bbox_to_anchor": (1, 1), "fontsize": 8}
            self._legend(axes[0, -1], handles=handles, labels=labels, **corner)

    def _legend(self, ax: Any, **settings: Any) -> None:
        """The legend of labels, with points of one size; beside Axes, unless settings differ."""
        if self.kind != LABEL:
            return
        style = {"title": self.name, "loc": "upper left", "bbox_to_anchor": (1.02, 1)}
        legend = ax.legend(**style | settings)
        legend.set_in_layout(not settings)  # settings put it where there is room
        for handle in legend.legend_handles:
            if hasattr(handle, "set_sizes"):
                handle.set(alpha=1, sizes=[30])


def _kind(column: Any) -> str:
    """Whether a column is shown by labels or by numbers."""
    kind = kind_of(column)
    return LABEL if kind in (NUMBER, DURATION) and _is_few(numbers_of(column.dropna())) else kind


def _is_few(numbers: np.ndarray) -> bool:
    """Whether there are few values, whole ones."""
    return len(np.unique(numbers)) <= FEW and bool((numbers == np.round(numbers)).all())


def _in_order(levels: list) -> list:
    """Labels in the order of numbers, if they are, or of the alphabet; the rarest are the last."""
    named = [level for level in levels if not isinstance(level, Others)]
    try:
        named.sort(key=float)
    except ValueError:
        named.sort()
    return named + levels[len(named) :]
