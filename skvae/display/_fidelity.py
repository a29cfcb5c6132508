"""Synthetic rows beside real ones."""

from collections import Counter
from functools import cached_property
from typing import Any, Self

import numpy as np

from skvae.display._associations import associations
from skvae.display._distributions import distribution
from skvae.display._draw import (
    DIFFERENCES,
    GREY,
    colour,
    column_panels,
    dated,
    left_out,
    legend_above,
    panels,
    pyplot,
    short,
    ticks,
)
from skvae.display._picture import Picture
from skvae.display._tables import LABEL, frame_of, most_telling

MOST_PANELS = 12
MOST_PAIRED = 16  # columns of the maps
WHICH = "those that differ most"


class FidelityDisplay(Picture):
    """Real against synthetic rows: each column, pairs of columns, and holes.

    Numbers and times, these in UTC, are counted in common bins, one of which on each side holds all
    that lies beyond nearly all real cells; a constant has a bin of its own. Labels are counted too,
    the rarest together: 1, 1.0 and True are one label. Maps show how strongly columns go
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
        first; 1 where one table alone has no observed cell.
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

    holes_ax_: Any  # None where no cell is missing

    def __init__(self, distributions: dict, associations: list, holes: Any):
        self.distributions = distributions
        self.associations = associations
        self.holes = holes

    @cached_property
    def differences(self) -> dict:
        """Total variation distance of each column.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import pandas as pd
        >>> from skvae.display import FidelityDisplay
        >>> real = pd.DataFrame({"age": [20.0, 30.0, 40.0], "sex": ["f", "m", "f"]})
        >>> display = FidelityDisplay.from_frames(real, real.assign(sex="f"))
        >>> [*display.differences]
        ['sex', 'age']
        >>> plt.close(display.figure_)
        """
        found = {name: one.difference for name, one in self.distributions.items()}
        return dict(Counter(found).most_common())

    @cached_property
    def columns(self) -> list:
        """Those with a panel each, in the order of the table.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import pandas as pd
        >>> from skvae.display import FidelityDisplay
        >>> real = pd.DataFrame({"age": [20.0, 30.0, 40.0], "sex": ["f", "m", "f"]})
        >>> display = FidelityDisplay.from_frames(real, real.assign(sex="f"))
        >>> display.columns
        ['age', 'sex']
        >>> plt.close(display.figure_)
        """
        shown = [*self.differences][:MOST_PANELS]
        return [name for name in self.distributions if name in shown]

    @classmethod
    def from_frames(
        cls, real: Any, synthetic: Any, *, columns: list | None = None, ax: Any = None
    ) -> Self:
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
            If a table has no rows, lacks a column or has two of one name, if numbers or times are
            to be compared with other cells, or if `columns` is no list of columns.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import pandas as pd
        >>> from skvae.display import FidelityDisplay
        >>> real = pd.DataFrame({"age": [20.0, 30.0, 40.0], "sex": ["f", "m", "f"]})
        >>> display = FidelityDisplay.from_frames(real, real[:2])
        >>> round(display.differences["sex"], 3)
        0.167
        >>> plt.close(display.figure_)
        """
        return cls(*compared(real, synthetic, columns)).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the panels.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : FidelityDisplay
            Itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import pandas as pd
        >>> from skvae.display import FidelityDisplay
        >>> real = pd.DataFrame({"age": [20.0, 30.0, 40.0], "sex": ["f", "m", "f"]})
        >>> display = FidelityDisplay.from_frames(real, real[:2], columns=["sex"])
        >>> plt.close(display.figure_)
        >>> display.plot().ax_.get_title()
        'sex: 17% differ'
        >>> plt.close(display.figure_)
        """
        sizes = 2.3 * -(-len(self.columns) // 4), 4.8
        above, below = panels(ax, (2, 1), (12.5, sum(sizes)), height_ratios=sizes)[:, 0]
        self.axes_ = np.array(self._draw_columns(above))
        missing = self.holes[self.holes.max(axis=1) > 0]
        maps = panels(below, (1, 3 + bool(len(missing))), (0, 0))[0]
        self.association_axes_, self.holes_ax_ = maps[:3], maps[3] if len(missing) else None
        self._draw_pairs(*self.associations)
        if len(missing):
            self._draw_holes(missing)
        return self

    def _draw_columns(self, ax: Any) -> Any:
        axes = column_panels(ax, self.columns, len(self.distributions), WHICH, (2.6, 2.2))
        for panel, name in zip(axes, self.columns, strict=True):
            found = self.distributions[name]
            told = f"no {found.empty} cells" if found.empty else f"{found.difference:.0%} differ"
            panel.set_title(f"{short(name)}: {told}", fontsize=9)
            draw = self._draw_labels if found.kind == LABEL else self._draw_numbers
            draw(panel, *found[1:])
            dated(panel, found.kind, "x")
        legend_above(axes[0])
        return axes

    def _draw_numbers(self, ax: Any, edges: np.ndarray, *shares: np.ndarray) -> None:
        ax.stairs(shares[0], edges, fill=True, color=colour(0), alpha=0.5, label="real")
        ax.stairs(shares[1], edges, color=colour(1), lw=1.5, label="synthetic")
        ax.locator_params(axis="x", nbins=5)

    def _draw_labels(self, ax: Any, names: list, *shares: np.ndarray) -> None:
        """Bars of both tables for each name, the first on top."""
        places = np.arange(len(names))
        for i, label in enumerate(("real", "synthetic")):
            ax.barh(places + 0.4 * i - 0.2, shares[i], 0.4, color=colour(i), label=label)
        ticks(ax.yaxis, places, names)
        ax.invert_yaxis()
        ax.xaxis.set_major_formatter("{x:.0%}")
        ax.locator_params(axis="x", nbins=4)

    def _draw_pairs(self, real: Any, synthetic: Any) -> None:
        difference = synthetic - real
        farthest = np.nanmax(np.abs(difference.to_numpy()), initial=0.1)
        self._draw_map(0, "real", real, 1)
        self._draw_map(1, "synthetic", synthetic, 1)
        self._draw_map(2, "difference", difference, farthest)
        told = left_out(len(real), len(self.distributions), WHICH)
        if told:
            self.association_axes_[0].set_title(f"associations: real\n{told}", fontsize=9)

    def _draw_map(self, i: int, title: str, values: Any, limit: float) -> None:
        ax, shades = self.association_axes_[i], pyplot().get_cmap(DIFFERENCES)
        shades = shades.with_extremes(bad=GREY)  # too few rows to tell
        image = ax.imshow(values, cmap=shades, vmin=-limit, vmax=limit)
        ticks(ax.xaxis, range(len(values)), values.columns, 7)
        ticks(ax.yaxis, range(len(values)), [""] * len(values) if i else values.index, 7)
        ax.tick_params(axis="x", rotation=90)
        ax.figure.colorbar(image, ax=ax, location="bottom", shrink=0.8, aspect=30)
        ax.set_title(f"associations: {title}", fontsize=9)

    def _draw_holes(self, missing: Any) -> None:
        ax, shown = self.holes_ax_, most_telling(missing.max(axis=1).to_dict(), MOST_PAIRED)
        self._draw_labels(ax, shown, missing.loc[shown, "real"], missing.loc[shown, "synthetic"])
        told = left_out(len(shown), len(missing), "those with most")
        ax.set_title(f"missing cells\n{told}".strip(), fontsize=9)
        ax.tick_params(labelsize=7)


def compared(real: Any, synthetic: Any, columns: list | None = None) -> tuple:
    """What is drawn of two tables: distributions, associations and holes."""
    frames = {"real": frame_of(real), "synthetic": frame_of(synthetic)}
    names = list(frames["real"].columns) if columns is None else _listed(columns)
    real, synthetic = (_taken(frame, names, told) for told, frame in frames.items())
    found = {name: distribution(real[name], synthetic[name]) for name in names}
    paired = most_telling({name: one.difference for name, one in found.items()}, MOST_PAIRED)
    holes = {"real": real.isna().mean(), "synthetic": synthetic.isna().mean()}
    pairs = associations(real[paired], synthetic[paired])
    return found, pairs, type(real)(holes)


def _listed(columns: Any) -> list:
    """Columns to compare, if they are a list of some, each once."""
    if isinstance(columns, str) or not 0 < len(columns) == len(set(columns)):
        raise ValueError(
            f"columns={columns!r}, but a list of columns is expected, one at least and each once; "
            "None is all of the real table."
        )
    return list(columns)


def _taken(frame: Any, names: list, told: str) -> Any:
    """Some columns of a table that has them, each once, and rows."""
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        raise ValueError(
            f"The {told} table lacks the columns {lacking}; give both the same columns."
        )
    chosen = frame[names]
    if chosen.empty:
        n_rows, n_columns = chosen.shape
        raise ValueError(
            f"The {told} table has {n_rows} rows and {n_columns} columns, but there is nothing to "
            "compare then; give one of each at least."
        )
    if not chosen.columns.is_unique:
        twice = chosen.columns[chosen.columns.duplicated()][0]
        raise ValueError(f"The {told} table has two columns called {twice!r}; rename one.")
    return chosen
