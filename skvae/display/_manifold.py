"""What the points of the latent space stand for."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from scipy.stats import norm

from skvae.display._draw import (
    SHADES,
    colour,
    column_panels,
    dated,
    label_map,
    number_map,
    panels,
    short,
    ticks,
)
from skvae.display._images import centres, few, show
from skvae.display._model import Model
from skvae.display._picture import RowsDisplay
from skvae.display._tables import (
    LABEL,
    in_levels,
    kind_of,
    labels_of,
    levels_of,
    most_telling,
    movement,
    numbers_of,
    row_of,
)

MOST_PANELS = 12
MOST_LABELS = 7


class ManifoldDisplay(RowsDisplay):
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

    _which = ""  # how from_estimator chose columns

    def __init__(
        self,
        rows: Any,
        quantiles: np.ndarray,
        *,
        dims: Sequence[int] = (0, 1),
        shape: tuple | None = None,
        draw: Callable | None = None,
        columns: list | None = None,
    ):
        self.rows = rows
        self.quantiles = quantiles
        self.dims = dims
        self.shape = shape
        self.draw = draw
        self.columns = columns or list(rows)[:MOST_PANELS]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n: int = 15,
        shape: tuple | None = None,
        draw: Callable | None = None,
        dims: Any = (0, 1),
        ax: Any = None,
    ) -> Self:
        """Restore and draw the rows of a grid.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
            A fitted one.
        n : int, default=15
            Points along each dimension.
        shape : tuple of int, default=None
            Height and width of rows that are images, and how many colours if there are some.
        draw : callable, default=None
            ``draw(ax, row)`` draws one row: an array where columns are numbered, else a Series.
        dims : sequence of int, default=(0, 1)
            The dimensions that are varied, one or two; the others are 0. None is the two that carry
            most nats. A latent space of one dimension has ``(0,)``.
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : ManifoldDisplay

        Raises
        ------
        ValueError
            If `dims` are not one or two of those that there are, or `shape` is not that of a row.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> from skvae.display import ManifoldDisplay
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(max_iter=2, random_state=0).fit(X)
        >>> display = ManifoldDisplay.from_estimator(vae, n=5, dims=(1,))
        >>> display.rows.shape
        (5, 4)
        >>> plt.close(display.figure_)
        """
        model = Model(estimator)
        dims = _one_or_two(model, dims)
        quantiles = norm.ppf((np.arange(n) + 0.5) / n)
        rows = model.restored(_grid(quantiles, dims, model.latent_dim))
        columns = None if shape or draw else _columns(model, rows)
        settings = {"dims": dims, "shape": shape, "draw": draw, "columns": columns}
        display = cls(rows, quantiles, **settings)
        display._which = "those that vary most"
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the rows.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : ManifoldDisplay
            Itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> import pandas as pd
        >>> from skvae.display import ManifoldDisplay
        >>> rows = pd.DataFrame({"age": [20.0, 30.0, 25.0, 40.0]})
        >>> display = ManifoldDisplay(rows, np.array([-1.0, 1.0])).plot()
        >>> display.ax_.get_title()
        'age'
        >>> plt.close(display.figure_)
        """
        self.axes_ = np.array(self._draw_images(ax) if self.shape else self._draw_columns(ax))
        return self

    def _draw_images(self, ax: Any) -> Any:
        grid, (height, width) = self._grid_shape, self.shape[:2]
        panel = self._image_panel(ax, grid, 6.4, (0, 0.4))
        images = self._images([self.rows])
        show(panel, images.reshape(*grid, *self.shape)[::-1])
        self._name(panel, centres(grid[1], width), centres(grid[0], height)[::-1])
        return [panel]

    def _draw_columns(self, ax: Any) -> Any:
        if self.draw is not None:
            return self._draw_own(ax, self.draw)
        axes = column_panels(ax, self.columns, self.rows.shape[1], self._which, (3.1, 2.5))
        for panel, name in zip(axes, self.columns, strict=True):
            draw = self._draw_map if len(self.dims) == 2 else self._draw_curve
            draw(panel, self.rows[name], kind_of(self.rows[name]))
        return axes

    def _draw_own(self, ax: Any, draw: Callable) -> Any:
        """Each row by the user's function."""
        grid = self._grid_shape
        axes = panels(ax, grid, (0.6 * grid[1] + 0.4, 0.6 * grid[0] + 0.4))
        for i, panel in enumerate(axes[::-1].flat):
            panel.set(xticks=[], yticks=[])
            draw(panel, row_of(self.rows, i))
        for i, z in enumerate(self.quantiles):
            axes[-1, i].set_xlabel(f"{z:.1f}", fontsize=8)
            if len(axes) > 1:
                axes[-1 - i, 0].set_ylabel(f"{z:.1f}", fontsize=8)
        return axes

    def _draw_map(self, ax: Any, column: Any, kind: str) -> None:
        """The values of a column over two dimensions."""
        places = np.arange(len(self.quantiles))
        self._name(ax, places, places)
        if kind != LABEL:
            values = numbers_of(column).reshape(self._grid_shape)
            dated(number_map(ax, values, cmap=SHADES).ax, kind, "y")
            return
        (labels,) = labels_of(column)
        levels = levels_of(labels, most=MOST_LABELS)
        label_map(ax, in_levels(labels, levels).reshape(self._grid_shape), levels)

    def _draw_curve(self, ax: Any, column: Any, kind: str) -> None:
        """The values of a column along one dimension."""
        ax.set_xlabel(f"latent {self.dims[0]}", fontsize=8)
        if kind == LABEL:
            labels = [short(label, 14) for label in labels_of(column)[0]]
            ax.step(self.quantiles, labels, where="mid", color=colour(0))
        else:
            ax.plot(self.quantiles, numbers_of(column), color=colour(0))
        dated(ax, kind, "y")

    @property
    def _grid_shape(self) -> tuple:
        n = len(self.quantiles)
        return (n, n) if len(self.dims) == 2 else (1, n)

    def _name(self, ax: Any, x: np.ndarray, y: np.ndarray) -> None:
        """Latent coordinates at some of the places along both sides."""
        ax.set(xticks=[], yticks=[])
        for axis, places, i in zip((ax.xaxis, ax.yaxis), (x, y), self.dims, strict=False):
            shown = few(len(places))
            ticks(axis, places[shown], [f"{z:.1f}" for z in self.quantiles[shown]])
            axis.set_label_text(f"latent {i}", fontsize=8)


def _one_or_two(model: Model, dims: Any) -> list[int]:
    """The dimensions of a grid, if there are such; all that there are by default."""
    if model.latent_dim <= 2 and (dims is None or np.array_equal(dims, (0, 1))):
        return list(range(model.latent_dim))
    chosen = model.dimensions(dims, 2)
    if len(chosen) > 2:
        raise ValueError(f"dims={dims!r}, but a grid has one or two dimensions; give so many.")
    return chosen


def _columns(model: Model, rows: Any) -> list | None:
    """The columns that vary most; None if there is room for all."""
    if rows.shape[1] <= MOST_PANELS:
        return None
    like = model.drawn()
    return most_telling({name: movement(rows[name], like[name]) for name in rows}, MOST_PANELS)


def _grid(quantiles: np.ndarray, dims: list, latent_dim: int) -> np.ndarray:
    """Latent points of a grid, (n ** len(dims), latent_dim); the first of dims moves fastest."""
    grid = np.stack(np.meshgrid(*[quantiles] * len(dims), indexing="xy"), axis=-1)
    points = np.zeros((grid.size // len(dims), latent_dim))
    points[:, dims] = grid.reshape(-1, len(dims))
    return points
