"""What the points of the latent space stand for."""

from typing import Any

import numpy as np
from scipy.stats import norm

from skvae.display._draw import SHADES, as_dates, grid_of_colours, left_out, panels, short, tiles
from skvae.display._images import centres, few, images_of, show
from skvae.display._model import Model
from skvae.display._tables import (
    LABEL,
    TIME,
    in_levels,
    kind_of,
    labels_of,
    levels_of,
    moving,
    numbers_of,
    row_of,
    telling,
)

MOST_PANELS = 12
ACROSS = 4
MOST_LABELS = 7


class ManifoldDisplay:
    """The rows of a grid of latent points, through the quantiles of a normal distribution.

    Images are shown as one picture; other rows by a function of one's own, or with a map of each
    column, whose colours tell its values. Of many columns the twelve are shown that vary most over
    the grid, compared with rows that the model draws.

    Parameters
    ----------
    rows : DataFrame of shape (n * n, n_features), or (n, n_features) of one dimension
        Restored at the points of the grid: the first dimension moves fastest, and both rise.
    quantiles : ndarray of shape (n,)
        The latent coordinates.
    dims : sequence of int, default=(0, 1)
        The dimensions that are varied; one or two.
    shape : tuple of int, default=None
        Height and width of an image, and its colours if it has them.
    draw : callable, default=None
        ``draw(ax, row)`` draws one row: an array where columns are numbered, else a Series.
    columns : list, default=None
        The columns with a panel each. None is the first twelve.

    Attributes
    ----------
    rows, quantiles, dims, shape, draw, columns
        As given.
    ax_ : Axes
        Of images; else the first panel.
    axes_ : ndarray of Axes
    figure_ : Figure

    See Also
    --------
    TraversalDisplay : One latent dimension at a time.

    References
    ----------
    Kingma, Welling (2014). Auto-Encoding Variational Bayes. Figure 4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> from skvae.display import ManifoldDisplay
    >>> vae = VAETransformer(max_iter=10, random_state=0).fit(load_iris().data)
    >>> display = ManifoldDisplay.from_estimator(vae, n=10)
    >>> display.rows.shape
    (100, 4)
    """

    def __init__(self, rows, quantiles, *, dims=(0, 1), shape=None, draw=None, columns=None):
        self.rows = rows
        self.quantiles = quantiles
        self.dims = dims
        self.shape = shape
        self.draw = draw
        self.columns = list(rows.columns[:MOST_PANELS]) if columns is None else columns

    @classmethod
    def from_estimator(cls, estimator, *, n=15, shape=None, draw=None, dims=(0, 1), ax=None):
        """Restore and draw the rows of a grid.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
        n : int, default=15
            Points along each dimension.
        shape : tuple of int, default=None
            Height and width of rows that are images, and how many colours if there are some.
        draw : callable, default=None
            ``draw(ax, row)`` draws one row: an array where columns are numbered, else a Series.
        dims : sequence of int, default=(0, 1)
            The dimensions that are varied; the others are 0. A latent space of one dimension has
            ``(0,)``.
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : ManifoldDisplay

        Raises
        ------
        ValueError
            If `dims` are not one or two of those that there are, or `shape` is not that of a row.
        """
        model = Model(estimator)
        dims = model.dimensions(dims[: model.latent_dim], 2)
        if len(dims) > 2:
            raise ValueError(f"dims={dims!r}, but a grid has one or two dimensions; give two.")
        quantiles = norm.ppf((np.arange(n) + 0.5) / n)
        rows = model.restored(_grid(quantiles, dims, model.latent_dim))
        columns = list(rows.columns)
        if len(columns) > MOST_PANELS and shape is None and draw is None:
            columns = list(rows.columns[telling(moving(rows, model.drawn()), MOST_PANELS)])
        settings = {"dims": dims, "shape": shape, "draw": draw, "columns": columns}
        return cls(rows, quantiles, **settings).plot(ax)

    def plot(self, ax=None):
        """Draw the grid.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : ManifoldDisplay
        """
        if self.draw is not None:
            self._draw_own(ax)
        elif self.shape is not None:
            self._draw_images(ax)
        else:
            self._draw_columns(ax)
        self.ax_, self.figure_ = self.axes_.flat[0], self.axes_.flat[0].figure
        return self

    @property
    def _grid_shape(self) -> tuple:
        n = len(self.quantiles)
        return (n, n) if len(self.dims) == 2 else (1, n)

    def _draw_images(self, ax: Any) -> None:
        images = images_of(self.rows, self.shape)
        n_rows, n_columns = self._grid_shape
        height, width = self.shape[:2]
        self.axes_ = panels(ax, (1, 1), (6.4, 6.4 * n_rows * height / (n_columns * width) + 0.4))
        panel = self.axes_[0, 0]
        show(panel, images.reshape(n_rows, n_columns, *images.shape[1:])[::-1])
        self._name(panel, centres(n_columns, width), centres(n_rows, height)[::-1])

    def _draw_own(self, ax: Any) -> None:
        n_rows, n_columns = self._grid_shape
        self.axes_ = panels(ax, (n_rows, n_columns), (0.6 * n_columns + 0.4, 0.6 * n_rows + 0.4))
        for i, panel in enumerate(self.axes_[::-1].flat):
            panel.set(xticks=[], yticks=[])
            self.draw(panel, row_of(self.rows, i))
        for i, panel in enumerate(self.axes_[-1]):
            panel.set_xlabel(f"{self.quantiles[i]:.1f}", fontsize=8)
        for i, panel in enumerate(self.axes_[::-1, 0] if n_rows > 1 else ()):
            panel.set_ylabel(f"{self.quantiles[i]:.1f}", fontsize=8)

    def _draw_columns(self, ax: Any) -> None:
        self.axes_ = np.array(tiles(ax, len(self.columns), ACROSS, (3.1, 2.5)))
        for panel, name in zip(self.axes_, self.columns, strict=True):
            panel.set_title(short(name), fontsize=9)
            column = self.rows[name]
            if len(self.dims) == 1:
                self._draw_curve(panel, column)
            else:
                self._draw_map(panel, column)
        which = "those that vary most"
        told = left_out(len(self.columns), self.rows.shape[1], "columns", which)
        if told:
            self.axes_[0].figure.suptitle(told, fontsize=10)

    def _draw_map(self, ax: Any, column: Any) -> None:
        """The values of a column over two dimensions."""
        n, kind = len(self.quantiles), kind_of(column)
        levels = levels_of(labels_of(column), most=MOST_LABELS) if kind == LABEL else None
        values = numbers_of(column) if levels is None else in_levels(labels_of(column), levels)
        values = values.reshape(n, n)
        bar = grid_of_colours(ax, values, SHADES, levels)
        if kind == TIME:
            as_dates(bar.ax.yaxis)
        self._name(ax, np.arange(n), np.arange(n))

    def _draw_curve(self, ax: Any, column: Any) -> None:
        """The values of a column along one dimension."""
        ax.set_xlabel(f"latent {self.dims[0]}", fontsize=8)
        if kind_of(column) == LABEL:
            ax.step(self.quantiles, [short(label, 14) for label in labels_of(column)], where="mid")
            return
        ax.plot(self.quantiles, numbers_of(column))
        if kind_of(column) == TIME:
            as_dates(ax.yaxis)

    def _name(self, ax: Any, x: np.ndarray, y: np.ndarray) -> None:
        """Latent coordinates at some of the places along both sides."""
        for axis, places, i in zip((ax.xaxis, ax.yaxis), (x, y), range(2), strict=False):
            shown = few(len(places))
            axis.set_ticks(places[shown], [f"{self.quantiles[k]:.1f}" for k in shown], fontsize=8)
            if i < len(self.dims):
                axis.set_label_text(f"latent {self.dims[i]}", fontsize=8)
            else:
                axis.set_ticks([])


def _grid(quantiles: np.ndarray, dims: list, latent_dim: int) -> np.ndarray:
    """Latent points of a grid, (n ** len(dims), latent_dim); the first of dims moves fastest."""
    grid = np.stack(np.meshgrid(*[quantiles] * len(dims), indexing="xy"), axis=-1)
    points = np.zeros((grid.size // len(dims), latent_dim))
    points[:, dims] = grid.reshape(-1, len(dims))
    return points
