"""What each latent dimension does to a row."""

from itertools import pairwise
from typing import Any, Self

import numpy as np

from skvae.display._draw import DIFFERENCES, GREY, short, tell_left_out, tiles
from skvae.display._images import centres, few, show
from skvae.display._model import Model
from skvae.display._picture import RowsDisplay
from skvae.display._tables import LABEL, deviation, kind_of, labels_of, numbers_of, telling

FARTHEST = 2.5  # deviations from the middle: 99 % of latent points lie within
MOST_LATENTS, MOST_ROWS = 6, 12  # panels of tables, and images in a column
MOST_COLUMNS = 12
CHANGE = 1.0  # deviations: as telling as a label that changes once
LETTERS = 4  # that fit into a cell


class TraversalDisplay(RowsDisplay):
    """Rows along one latent dimension at a time, the others held in the middle.

    The middle is the mean of the latent points of the rows given, or without any the point 0. A
    step is so many deviations from it, of these latent points in that dimension, or of the prior.
    Images are shown in a row for each dimension. Rows of a table have a map for each: its colours
    tell how far numbers and times move from what they are in the middle (at the step nearest 0),
    in deviations of their column, and labels are named where they change. Dimensions that carry
    most nats come first. Of many columns those are shown that a dimension moves most.

    Parameters
    ----------
    rows : list of DataFrame of shape (n, n_features)
        Along each of the dimensions.
    steps : ndarray of shape (n,)
        Deviations of the latent points.
    names : list of str
        Of the dimensions.
    deviations : dict of {column: float}, default=None
        Of columns of numbers and times (in days); not needed for images.
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

    def __init__(
        self,
        rows: list,
        steps: np.ndarray,
        names: list[str],
        *,
        deviations: dict | None = None,
        shape: tuple | None = None,
    ):
        self.rows = rows
        self.steps = steps
        self.names = names
        self.deviations = deviations
        self.shape = shape

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        n: int = 11,
        shape: tuple | None = None,
        dims: Any = None,
        ax: Any = None,
    ) -> Self:
        """Restore and draw rows along each latent dimension.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
            A fitted one.
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features), default=None
            Rows whose latent points say where the middle is and how wide a dimension is, and whose
            cells say how wide columns are; one row is the middle alone. None goes by the prior, a
            normal distribution, and by rows that the model draws.
        n : int, default=11
            Steps, from -2.5 to 2.5 deviations; one more if it is even, since 0 is among them.
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

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> from skvae.display import TraversalDisplay
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(max_iter=2, random_state=0).fit(X)
        >>> display = TraversalDisplay.from_estimator(vae, X, n=5, dims=[1])
        >>> [rows.shape for rows in display.rows]
        [(5, 4)]
        >>> plt.close(display.figure_)
        """
        model, steps = Model(estimator), np.linspace(-FARTHEST, FARTHEST, n | 1)
        dims = model.dimensions(dims, MOST_LATENTS if shape is None else MOST_ROWS)
        codes = None if X is None else model.codes(X)
        rows = [model.restored(_line(codes, i, steps, model.latent_dim)) for i in dims]
        names = [model.told(i) for i in dims]
        widths = None if shape else _deviations(model.drawn() if X is None else model.own(X))
        return cls(rows, steps, names, deviations=widths, shape=shape).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the rows.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into panels. None makes a figure.

        Returns
        -------
        display : TraversalDisplay
            Itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> import pandas as pd
        >>> from skvae.display import TraversalDisplay
        >>> rows = pd.DataFrame({"age": [20.0, 30.0, 50.0]})
        >>> steps, deviations = np.array([-1.0, 0.0, 1.0]), {"age": 10.0}
        >>> display = TraversalDisplay([rows], steps, ["latent 0"], deviations=deviations)
        >>> display.plot().ax_.get_title()
        'latent 0'
        >>> plt.close(display.figure_)
        """
        self.axes_ = np.array(self._draw_images(ax) if self.shape else self._draw_columns(ax))
        return self

    def moves(self, i: int) -> np.ndarray:
        """How far a dimension moves each column from the middle.

        Parameters
        ----------
        i : int
            The number of the dimension among those shown.

        Returns
        -------
        moves : ndarray of shape (n_features, n)
            In deviations of the column; NaN for labels.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from skvae.display import TraversalDisplay
        >>> rows = pd.DataFrame({"age": [20.0, 30.0, 50.0]})
        >>> steps, deviations = np.array([-1.0, 0.0, 1.0]), {"age": 10.0}
        >>> display = TraversalDisplay([rows], steps, ["latent 0"], deviations=deviations)
        >>> display.moves(0)
        array([[-1.,  0.,  2.]])
        """
        return np.array([self._moves_of(self.rows[i][name]) for name in self.rows[i].columns])

    def _moves_of(self, column: Any) -> np.ndarray:
        if kind_of(column) == LABEL:
            return np.nan * self.steps
        numbers, middle = numbers_of(column), np.argmin(np.abs(self.steps))
        return (numbers - numbers[middle]) / (self.deviations or {}).get(column.name, 1.0)

    def _draw_images(self, ax: Any) -> Any:
        images, (height, width) = self._images(self.rows), self.shape[:2]
        panel = self._image_panel(ax, images.shape[:2], 6.2, (1.3, 0.7))
        show(panel, images)
        panel.set_yticks(centres(len(images), height), self.names)
        self._name_steps(panel, centres(len(self.steps), width))
        return [panel]

    def _draw_columns(self, ax: Any) -> Any:
        n_columns = self.rows[0].shape[1]
        shown = min(MOST_COLUMNS, n_columns)
        axes = tiles(ax, len(self.rows), 2, (5.6, 0.24 * shown + 0.9))
        for i, panel in enumerate(axes):
            panel.set_title(self.names[i], fontsize=10)
            image = self._draw_map(panel, i)
        panel.figure.colorbar(image, ax=axes, label="moved by\n(deviations)", aspect=30)
        tell_left_out(panel.figure, shown, n_columns, "those that each dimension moves most")
        return axes

    @property
    def limits(self) -> tuple[float, float]:
        """The largest moves to both sides, which colours show.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from skvae.display import TraversalDisplay
        >>> rows = pd.DataFrame({"age": [20.0, 30.0, 50.0]})
        >>> steps, deviations = np.array([-1.0, 0.0, 1.0]), {"age": 10.0}
        >>> display = TraversalDisplay([rows], steps, ["latent 0"], deviations=deviations)
        >>> display.limits
        (-2.0, 2.0)
        """
        moves = [np.nan_to_num(self.moves(i)) for i in range(len(self.rows))]
        farthest = float(np.abs(moves).max()) or 1.0
        return -farthest, farthest

    def _draw_map(self, ax: Any, i: int) -> Any:
        """The columns that a dimension moves most."""
        moves, labels = self.moves(i), [labels_of(cells)[0] for _, cells in self.rows[i].items()]
        chosen = telling(_spans(moves, labels), MOST_COLUMNS)
        low, high = self.limits
        image = ax.imshow(moves[chosen], cmap=DIFFERENCES, aspect="auto", vmin=low, vmax=high)
        ax.set_yticks(range(len(chosen)), [short(self.rows[i].columns[k], 20) for k in chosen])
        ax.tick_params(labelsize=8)
        self._name_steps(ax, np.arange(len(self.steps)))
        for y in np.flatnonzero(np.isnan(moves[chosen]).any(axis=1)):
            self._name_labels(ax, y, labels[chosen[y]])
        return image

    def _name_labels(self, ax: Any, y: np.integer, labels: np.ndarray) -> None:
        """Each label in the middle of the steps that have it, with lines between."""
        starts = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1), len(labels)]
        for start, end in pairwise(starts):
            text = short(labels[start], LETTERS * (end - start))
            ax.text((start + end - 1) / 2, y, text, ha="center", va="center", fontsize=7)
        ax.vlines(np.array(starts[1:-1]) - 0.5, y - 0.4, y + 0.4, color=GREY, lw=1)

    def _name_steps(self, ax: Any, places: np.ndarray) -> None:
        """Deviations below."""
        shown = few(len(places))
        ax.set_xticks(places[shown], self._told_steps[shown], fontsize=8)
        ax.set_xlabel("deviations from the middle", fontsize=8)

    @property
    def _told_steps(self) -> np.ndarray:
        return np.array([f"{step:+.2g}" if step else "0" for step in self.steps])


def _line(codes: np.ndarray | None, i: int, steps: np.ndarray, latent_dim: int) -> np.ndarray:
    """Latent points along a dimension, (steps, latent_dim): of the prior, or of codes."""
    middle, width = (
        (np.zeros(latent_dim), 1) if codes is None else (codes.mean(0), codes[:, i].std() or 1.0)
    )
    points = np.tile(middle, (len(steps), 1))
    points[:, i] += width * steps
    return points


def _spans(moves: np.ndarray, labels: list) -> np.ndarray:
    """How far each column is moved in all."""
    changes = [CHANGE * (len(set(texts)) > 1) for texts in labels]
    return np.where(np.isnan(moves).any(axis=1), changes, np.ptp(np.nan_to_num(moves), axis=1))


def _deviations(rows: Any) -> dict:
    """Of columns of numbers and times."""
    measured = [name for name in rows.columns if kind_of(rows[name]) != LABEL]
    return {name: deviation(rows[name]) for name in measured}
