"""Synthetic rows beside real ones."""

from typing import Any

import numpy as np

from skvae.display._associations import associations
from skvae.display._distributions import Distribution, distribution
from skvae.display._draw import (
    DIFFERENCES,
    GREY,
    as_dates,
    colour,
    grid_labels,
    left_out,
    panels,
    pyplot,
    short,
    tiles,
)
from skvae.display._tables import LABEL, TIME, frame_of, telling

MOST_PANELS, ACROSS = 12, 4
MOST_PAIRED = 16  # columns of the maps


class FidelityDisplay:
    """Real against synthetic rows: each column, pairs of columns, and holes.

    Numbers and times are counted in common bins, of which the first and the last also hold what
    lies beyond; labels are counted too, the rarest together. Maps show how strongly columns go
    together in the real rows, in the synthetic ones, and the difference: Spearman's rank
    correlation of numbers and times, Cramér's V where labels are involved (with numbers in ten
    bins). Of many columns those are shown whose distribution differs most.

    Parameters
    ----------
    distributions : dict of {column: Distribution}
        "kind", "support" (edges of bins or labels) and the shares "real" and "synthetic" of each.
    associations : list of DataFrame of shape (n_paired, n_paired)
        Of the real and of the synthetic rows.
    holes : DataFrame of shape (n_columns, 2)
        Shares of missing cells, "real" and "synthetic".

    Attributes
    ----------
    distributions, associations, holes
        As given.
    differences : dict of {column: float}
        Total variation distance between the shares, from 0 to 1, that of the largest difference
        first.
    columns : list
        Those with a panel each.
    axes_ : ndarray of Axes
        Of `columns`.
    association_axes_ : ndarray of Axes of shape (3,)
        Of the maps: real, synthetic and difference.
    holes_ax_ : Axes or None
        None where no cell is missing.
    figure_ : Figure

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> from skvae.display import FidelityDisplay
    >>> real = load_iris(as_frame=True).data
    >>> vae = VAETransformer(max_iter=10, random_state=0).fit(real)
    >>> display = FidelityDisplay.from_frames(real, vae.sample(150, random_state=0))
    >>> len(display.differences)
    4
    """

    def __init__(self, distributions, associations, holes):
        self.distributions = distributions
        self.associations = associations
        self.holes = holes
        found = {name: one.difference for name, one in distributions.items()}
        self.differences = dict(sorted(found.items(), key=lambda item: -item[1]))
        self.columns = _most(found, MOST_PANELS)

    @classmethod
    def from_frames(cls, real, synthetic, *, columns=None, ax=None):
        """Compare and draw two tables.

        Parameters
        ----------
        real, synthetic : DataFrame or array-like of shape (n_samples, n_features)
            Of pandas, polars or another library; they need not have as many rows.
        columns : list, default=None
            Those to look at. None is all of `real`.
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : FidelityDisplay

        Raises
        ------
        ValueError
            If a table has no rows, or lacks a column.
        """
        real, synthetic = frame_of(real), frame_of(synthetic)
        names = list(real.columns if columns is None else columns)
        real, synthetic = (
            _taken(frame, names, told) for frame, told in ((real, "real"), (synthetic, "synthetic"))
        )
        found = {name: distribution(real[name], synthetic[name]) for name in names}
        holes = _holes(real, synthetic)
        paired = _most({name: one.difference for name, one in found.items()}, MOST_PAIRED)
        return cls(found, associations(real[paired], synthetic[paired]), holes).plot(ax)

    def plot(self, ax=None):
        """Draw the panels.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : FidelityDisplay
        """
        n_rows = -(-len(self.columns) // ACROSS)
        sizes = 2.3 * n_rows, 4.8
        above, below = panels(ax, (2, 1), (12.5, sum(sizes)), height_ratios=sizes)[:, 0]
        self.figure_ = above.figure
        self.axes_ = np.array(tiles(above, len(self.columns), ACROSS))
        for panel, name in zip(self.axes_, self.columns, strict=True):
            self._draw_column(panel, name, self.distributions[name])
        self.axes_[0].legend(fontsize=8)
        told = left_out(
            len(self.columns), len(self.distributions), "columns", "those that differ most"
        )
        self.figure_.suptitle(told or None, fontsize=10)
        missing = self.holes[self.holes.max(axis=1) > 0]
        below = panels(below, (1, 3 + bool(len(missing))), (0, 0))[0]
        self.association_axes_ = below[:3]
        self._draw_associations()
        self.holes_ax_ = below[3] if len(missing) else None
        if len(missing):
            self._draw_holes(below[3], missing)
        return self

    def _draw_column(self, ax: Any, name: Any, found: Distribution) -> None:
        ax.set_title(f"{short(name)}: {found.difference:.0%} differ", fontsize=9)
        ax.tick_params(labelsize=8)
        if found.kind == LABEL:
            _draw_pairs(ax, [short(level, 16) for level in found.support], found[2:])
            return
        ax.stairs(found.real, found.support, fill=True, color=colour(0), alpha=0.5, label="real")
        ax.stairs(found.synthetic, found.support, color=colour(1), lw=1.5, label="synthetic")
        ax.locator_params(axis="x", nbins=5)
        if found.kind == TIME:
            as_dates(ax.xaxis)

    def _draw_associations(self) -> None:
        shades = pyplot().get_cmap(DIFFERENCES).with_extremes(bad=GREY)
        real, synthetic = self.associations
        difference = synthetic - real
        farthest = np.nanmax(np.abs(difference.to_numpy()), initial=0.1)
        maps = {
            "real": (real, 1),
            "synthetic": (synthetic, 1),
            "difference": (difference, farthest),
        }
        for ax, (title, (values, limit)) in zip(self.association_axes_, maps.items(), strict=True):
            image = ax.imshow(values, cmap=shades, vmin=-limit, vmax=limit)
            grid_labels(ax, values.index if title == "real" else [], values.columns)
            ax.figure.colorbar(image, ax=ax, location="bottom", shrink=0.8, aspect=30)
            ax.set_title(f"associations: {title}", fontsize=9)
        shown = len(real)
        told = left_out(shown, len(self.distributions), "columns", "those that differ most")
        if told:
            self.association_axes_[0].set_title(f"associations: real\n{told}", fontsize=9)

    def _draw_holes(self, ax: Any, missing: Any) -> None:
        shown = missing.loc[_most(missing.max(axis=1).to_dict(), MOST_PAIRED)]
        names = [short(name, 16) for name in shown.index]
        _draw_pairs(ax, names, (shown["real"], shown["synthetic"]))
        told = left_out(len(shown), len(missing), "columns", "those with most")
        ax.set_title("missing cells" + (f"\n{told}" if told else ""), fontsize=9)
        ax.tick_params(labelsize=7)


def _most(scores: dict, most: int) -> list:
    """The names of the highest scores, in the order of the table."""
    names = list(scores)
    return [names[i] for i in telling(np.array(list(scores.values()), float), most)]


def _draw_pairs(ax: Any, names: list, shares: tuple) -> None:
    """Bars of both tables for each name, the first on top."""
    places = np.arange(len(names))
    for shift, values, i, label in zip(
        (-0.2, 0.2), shares, (0, 1), ("real", "synthetic"), strict=True
    ):
        ax.barh(places + shift, values, 0.4, color=colour(i), label=label)
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter("{x:.0%}")
    ax.locator_params(axis="x", nbins=4)


def _taken(frame: Any, names: list, told: str) -> Any:
    """Some columns of a table that has them, and rows."""
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        raise ValueError(
            f"The {told} table lacks the columns {lacking}; give both the same columns."
        )
    if not len(frame):
        raise ValueError(f"The {told} table has no rows, but there is nothing to compare then.")
    return frame[names]


def _holes(real: Any, synthetic: Any) -> Any:
    """Shares of missing cells."""
    import pandas as pd

    return pd.DataFrame({"real": real.isna().mean(), "synthetic": synthetic.isna().mean()})
