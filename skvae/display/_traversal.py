"""What each latent dimension does to a row."""

from itertools import pairwise
from typing import Any

import numpy as np

from skvae.display._draw import DIFFERENCES, left_out, panels, short, tiles
from skvae.display._images import centres, few, images_of, show
from skvae.display._model import Model
from skvae.display._tables import LABEL, deviation, kind_of, labels_of, numbers_of, telling

FARTHEST = 2.5  # deviations from the middle: 99 % of latent points lie within
MOST_LATENTS, MOST_ROWS = 6, 12  # panels of tables, and images in a column
MOST_COLUMNS = 12
CHANGE = 1.0  # deviations: as telling as a label that changes once
LETTERS = 4  # that fit into a cell


class TraversalDisplay:
    """Rows along one latent dimension at a time, the others held in the middle.

    Images are shown in a row for each dimension. Rows of a table have a map for each: its colours
    tell how far numbers and times move from the middle, in deviations of their column, and labels
    are named where they change. Dimensions that carry most nats come first. Of many columns those
    are shown that a dimension moves most.

    Parameters
    ----------
    rows : list of DataFrame of shape (n, n_features)
        Along each of the dimensions.
    steps : ndarray of shape (n,)
        Deviations of the latent points.
    names : list of str
        Of the dimensions.
    deviations : dict of {column: float}, default=None
        Of columns of numbers and times (in days). None takes those of `rows`.
    shape : tuple of int, default=None
        Height and width of an image, and its colours if it has them.

    Attributes
    ----------
    rows, steps, names, deviations, shape
        As given.
    ax_ : Axes
        Of images; else the first panel.
    axes_ : ndarray of Axes
    figure_ : Figure

    See Also
    --------
    ManifoldDisplay : Two latent dimensions at a time.

    References
    ----------
    Higgins et al. (2017). beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
    Framework.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> from skvae.display import TraversalDisplay
    >>> X = load_iris(as_frame=True).data
    >>> vae = VAETransformer(max_iter=10, random_state=0).fit(X)
    >>> display = TraversalDisplay.from_estimator(vae, X)
    >>> [rows.shape for rows in display.rows]
    [(11, 4), (11, 4)]
    """

    def __init__(self, rows, steps, names, *, deviations=None, shape=None):
        self.rows = rows
        self.steps = steps
        self.names = names
        self.deviations = _deviations(_stacked(rows)) if deviations is None else deviations
        self.shape = shape

    @classmethod
    def from_estimator(cls, estimator, X=None, *, n=11, shape=None, dims=None, ax=None):
        """Restore and draw rows along each latent dimension.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features), default=None
            Rows whose latent points say where the middle is and how wide a dimension is, and whose
            cells say how wide columns are. None goes by the prior, a normal distribution, and by
            rows that the model draws.
        n : int, default=11
            Steps, from -2.5 to 2.5 deviations.
        shape : tuple of int, default=None
            Height and width of rows that are images, and how many colours if there are some.
        dims : sequence of int, default=None
            The dimensions to show. None is the six that carry most nats, or twelve for images.
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : TraversalDisplay

        Raises
        ------
        ValueError
            If `dims` are not among those that there are, or `shape` is not that of a row.
        """
        model, steps = Model(estimator), np.linspace(-FARTHEST, FARTHEST, n)
        dims = model.dimensions(dims, MOST_LATENTS if shape is None else MOST_ROWS)
        codes = np.zeros((1, model.latent_dim)) if X is None else model.codes(X)
        widths = np.ones(model.latent_dim) if X is None else codes.std(axis=0)
        rows = []
        for i in dims:
            points = np.tile(codes.mean(axis=0), (n, 1))
            points[:, i] += widths[i] * steps
            rows.append(model.restored(points))
        like = None if shape else model.drawn() if X is None else model.own(X)
        deviations = None if shape else _deviations(like)
        names = [model.told(i) for i in dims]
        return cls(rows, steps, names, deviations=deviations, shape=shape).plot(ax)

    def plot(self, ax=None):
        """Draw the rows.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : TraversalDisplay
        """
        if self.shape is None:
            self._draw_tables(ax)
        else:
            self._draw_images(ax)
        self.ax_, self.figure_ = self.axes_.flat[0], self.axes_.flat[0].figure
        return self

    def moves(self, i):
        """How far a dimension moves each column from the middle.

        Parameters
        ----------
        i : int
            The number of the dimension among those shown.

        Returns
        -------
        moves : ndarray of shape (n_features, n)
            In deviations of the column; NaN for labels.
        """
        return np.array([self._moves_of(self.rows[i][name]) for name in self.rows[i].columns])

    def _moves_of(self, column: Any) -> np.ndarray:
        if kind_of(column) == LABEL:
            return np.full(len(self.steps), np.nan)
        numbers = numbers_of(column)
        return (numbers - numbers[len(numbers) // 2]) / self.deviations[column.name]

    def _draw_images(self, ax: Any) -> None:
        images = np.stack([images_of(rows, self.shape) for rows in self.rows])
        height, width = self.shape[:2]
        n_rows, n = images.shape[:2]
        self.axes_ = panels(ax, (1, 1), (7.5, 6.2 * n_rows * height / (n * width) + 0.7))
        panel = self.axes_[0, 0]
        show(panel, images)
        panel.set_yticks(centres(n_rows, height), self.names)
        self._name_steps(panel, centres(n, width))

    def _draw_tables(self, ax: Any) -> None:
        shown = min(MOST_COLUMNS, self.rows[0].shape[1])
        size = 5.6, 0.24 * shown + 0.9
        self.axes_ = np.array(tiles(ax, len(self.rows), 1 if len(self.rows) == 1 else 2, size))
        moves = [self.moves(i) for i in range(len(self.rows))]
        farthest = max(np.nanmax(np.abs(np.nan_to_num(move))) for move in moves) or 1.0
        for i, panel in enumerate(self.axes_):
            panel.set_title(self.names[i], fontsize=10)
            image = self._draw_table(panel, self.rows[i], moves[i], farthest)
        figure, label = panel.figure, "moved by\n(deviations)"
        figure.colorbar(image, ax=self.axes_.tolist(), label=label, aspect=30)
        which = "those that each dimension moves most"
        told = left_out(shown, self.rows[0].shape[1], "columns", which)
        if told:
            figure.suptitle(told, fontsize=10)

    def _draw_table(self, ax: Any, rows: Any, moves: np.ndarray, farthest: float) -> Any:
        """A map of the columns that move most."""
        labels = [labels_of(rows[name]) for name in rows.columns]
        changes = [CHANGE * (len(set(texts)) > 1) for texts in labels]
        numbers = np.isfinite(moves).all(axis=1)
        spans = np.where(numbers, np.ptp(np.nan_to_num(moves), axis=1), changes)
        chosen = telling(spans, MOST_COLUMNS)
        limits = {"vmin": -farthest, "vmax": farthest}
        image = ax.imshow(moves[chosen], cmap=DIFFERENCES, aspect="auto", **limits)
        ax.set_yticks(range(len(chosen)), [short(rows.columns[k], 20) for k in chosen], fontsize=8)
        self._name_steps(ax, np.arange(len(self.steps)))
        for y in np.flatnonzero(~numbers[chosen]):
            self._name_labels(ax, y, labels[chosen[y]])
        return image

    def _name_labels(self, ax: Any, y: int, labels: np.ndarray) -> None:
        """Each label in the middle of the steps that have it, with lines between."""
        starts = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1), len(labels)]
        for start, end in pairwise(starts):
            text = short(labels[start], max(LETTERS, LETTERS * (end - start)))
            ax.text((start + end - 1) / 2, y, text, ha="center", va="center", fontsize=7)
            if start:
                ax.plot([start - 0.5] * 2, [y - 0.4, y + 0.4], color="grey", lw=1)

    def _name_steps(self, ax: Any, places: np.ndarray) -> None:
        """Deviations below."""
        shown = few(len(places))
        texts = [f"{step:+.2g}" if step else "0" for step in self.steps[shown]]
        ax.set_xticks(places[shown], texts, fontsize=8)
        ax.set_xlabel("deviations from the middle", fontsize=8)


def _stacked(rows: list) -> Any:
    import pandas as pd

    return pd.concat(rows, ignore_index=True)


def _deviations(rows: Any) -> dict:
    """Of columns of numbers and times."""
    measured = [name for name in rows.columns if kind_of(rows[name]) != LABEL]
    return {name: deviation(rows[name]) for name in measured}
