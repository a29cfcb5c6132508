"""Rows before and after the latent space."""

from functools import cached_property
from typing import Any, Self

import numpy as np

from skvae.display._draw import GREY, colour, column_panels, dated, number_map, short, ticks
from skvae.display._images import centres, show
from skvae.display._model import Model
from skvae.display._picture import RowsDisplay
from skvae.display._tables import LABEL, in_levels, kind_of, labels_of, levels_of, numbers_of

MOST_PANELS = 12
MOST_LABELS = 8


class ReconstructionDisplay(RowsDisplay):
    """Rows before, and as the model restores them from their latent points.

    Images are shown above those that are restored. Rows of a table have a panel for each column: a
    scatter for numbers and times, with the diagonal on which they would be restored exactly, and
    for labels a map of how often each comes back as which, with the share of the rows that have it
    before, since that of a rare label comes from few rows. Cells that are missing before are left
    out. Of many columns twelve are shown, from the best restored to the worst.

    Parameters
    ----------
    before, after : DataFrame of shape (n_samples, n_features)
        The same rows.
    shape : tuple of int, default=None
        Height and width of an image, and its colours if it has them.

    Attributes
    ----------
    before, after, shape
        As given.
    restored : dict of {column: float}
        The share of the variance of numbers and times that is restored (R², negative where the mean
        would do better), or the share of labels; NaN of a column without cells. Not of images.
    columns : list
        Those with a panel each.
    ax_ : Axes
        Of images; else the first panel.
    axes_ : ndarray of Axes
    figure_ : Figure

    See Also
    --------
    sklearn.metrics.PredictionErrorDisplay : Of the predictions of a regressor.
    sklearn.metrics.ConfusionMatrixDisplay : Of those of a classifier.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> from skvae.display import ReconstructionDisplay
    >>> X = load_iris(as_frame=True).data
    >>> vae = VAETransformer(max_iter=10, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(vae, X)
    >>> display.restored["petal length (cm)"] > 0.5
    True
    """

    def __init__(self, before: Any, after: Any, *, shape: tuple | None = None):
        self.before = before
        self.after = after
        self.shape = shape

    @cached_property
    def restored(self) -> dict:
        """How well each column is restored.

        Examples
        --------
        >>> import pandas as pd
        >>> from skvae.display import ReconstructionDisplay
        >>> before = pd.DataFrame({"age": [20.0, 30.0, 40.0], "sex": ["f", "m", "f"]})
        >>> after = pd.DataFrame({"age": [22.0, 30.0, 38.0], "sex": ["f", "m", "m"]})
        >>> display = ReconstructionDisplay(before, after)
        >>> {name: round(share, 2) for name, share in display.restored.items()}
        {'age': 0.96, 'sex': 0.67}
        """
        return {name: self._share(name) for name in self.before.columns}

    @property
    def columns(self) -> list:
        """Those with a panel each.

        Examples
        --------
        >>> import pandas as pd
        >>> from skvae.display import ReconstructionDisplay
        >>> before = pd.DataFrame({"age": [20.0, 30.0, 40.0], "sex": ["f", "m", "f"]})
        >>> after = pd.DataFrame({"age": [22.0, 30.0, 38.0], "sex": ["f", "m", "m"]})
        >>> ReconstructionDisplay(before, after).columns
        ['age', 'sex']
        """
        return _few(self.restored, MOST_PANELS)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, shape: tuple | None = None, n: int = 8, ax: Any = None
    ) -> Self:
        """Restore and draw rows.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
            A fitted one.
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Rows with the columns of `fit`.
        shape : tuple of int, default=None
            Height and width of rows that are images, and how many colours if there are some.
        n : int, default=8
            How many images are shown, from the first one on. Of a table all rows are.
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : ReconstructionDisplay

        Raises
        ------
        ValueError
            If `shape` is not that of a row.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> from skvae.display import ReconstructionDisplay
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(max_iter=2, random_state=0).fit(X)
        >>> display = ReconstructionDisplay.from_estimator(vae, X)
        >>> display.after.shape
        (150, 4)
        >>> plt.close(display.figure_)
        """
        model = Model(estimator)
        X = X if shape is None else X[:n]
        return cls(model.own(X), model.restored(model.codes(X)), shape=shape).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the rows.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : ReconstructionDisplay
            Itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import pandas as pd
        >>> from skvae.display import ReconstructionDisplay
        >>> before = pd.DataFrame({"age": [20.0, 30.0, 40.0], "sex": ["f", "m", "f"]})
        >>> after = pd.DataFrame({"age": [22.0, 30.0, 38.0], "sex": ["f", "m", "m"]})
        >>> display = ReconstructionDisplay(before, after).plot()
        >>> [ax.get_title().splitlines() for ax in display.axes_]
        [['age', 'R² 0.96'], ['sex', '67% as before']]
        >>> plt.close(display.figure_)
        """
        self.axes_ = np.array(self._draw_images(ax) if self.shape else self._draw_columns(ax))
        return self

    def _share(self, name: Any) -> float:
        """How well a column is restored, 1 at best."""
        before, after = self._cells(name)
        if before.dtype == object or not len(before):
            return float(np.mean(before == after)) if len(before) else np.nan
        errors, spread = ((before - after) ** 2).mean(), before.var()
        return float(1 - errors / spread) if spread else float(errors == 0)

    def _cells(self, name: Any) -> tuple:
        """The observed cells of a column as numbers or labels, before and after."""
        kind = kind_of(self.before[name])
        pair, seen = (self.before[name], self.after[name]), self.before[name].notna().to_numpy()
        cells = labels_of(*pair) if kind == LABEL else [numbers_of(column) for column in pair]
        return cells[0][seen], cells[1][seen]

    def _draw_images(self, ax: Any) -> Any:
        images = self._images([self.before, self.after])
        panel = self._image_panel(ax, images.shape[:2], 0.9 * images.shape[1], (1.2, 0.3))
        show(panel, images)
        panel.set(xticks=[])
        ticks(panel.yaxis, centres(2, self.shape[0]), ["before", "after"])
        return [panel]

    def _draw_columns(self, ax: Any) -> Any:
        which = "from the best restored to the worst"
        axes = column_panels(ax, self.columns, len(self.restored), which, (3.3, 3.1))
        for panel, name in zip(axes, self.columns, strict=True):
            kind = kind_of(self.before[name])
            draw = self._draw_labels if kind == LABEL else self._draw_numbers
            draw(panel, name, *self._cells(name))
            panel.set_xlabel("before", fontsize=8)
            panel.set_ylabel("after", fontsize=8)
            dated(panel, kind, "xy")
        return axes

    def _draw_numbers(self, ax: Any, name: Any, before: np.ndarray, after: np.ndarray) -> None:
        size = 6 if len(before) > 1000 else 12
        ax.scatter(before, after, s=size, alpha=0.5, linewidths=0, color=colour(0))
        if len(before):
            ax.axline((before[0], before[0]), slope=1, color=GREY, lw=1)
        self._head(ax, name, f"R² {self.restored[name]:.2f}")

    def _draw_labels(self, ax: Any, name: Any, before: np.ndarray, after: np.ndarray) -> None:
        """Shares of the labels after, given those before."""
        levels = levels_of(before, after, most=MOST_LABELS)
        places = in_levels(before, levels), in_levels(after, levels)
        common, shares = _pairs(*places, len(levels))
        bar = number_map(ax, shares, cmap="cividis", vmin=0, vmax=1)
        bar.ax.yaxis.set_major_formatter("{x:.0%}")
        names = [short(level, 12) for level in levels]
        ticks(ax.yaxis, range(len(levels)), names)
        told = [f"{name} {share:.0%}" for name, share in zip(names, common, strict=True)]
        ax.set_xticks(range(len(levels)), told, fontsize=8, rotation=90)
        self._head(ax, name, f"{self.restored[name]:.0%} as before")

    def _head(self, ax: Any, name: Any, text: str) -> None:
        ax.set_title(f"{short(name)}\n{text}", fontsize=9)


def _pairs(before: np.ndarray, after: np.ndarray, n: int) -> tuple:
    """How common places before are, and after them which, (places,) and (after, before)."""
    counts = np.zeros((n, n))
    came_back = after >= 0
    np.add.at(counts, (after[came_back], before[came_back]), 1)
    rows = np.bincount(before, minlength=n)
    return rows / max(1, len(before)), counts / np.maximum(rows, 1)


def _few(restored: dict, most: int) -> list:
    """Columns from the best restored to the worst, evenly spread if too many; else as they are."""
    names = list(restored)
    if len(names) <= most:
        return names
    ranked = sorted(names, key=lambda name: -np.nan_to_num(restored[name], nan=-np.inf))
    return [ranked[i] for i in np.linspace(0, len(names) - 1, most).round().astype(int)]
