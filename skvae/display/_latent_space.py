"""Where rows lie in the latent space."""

from typing import Any, Self

import numpy as np

from skvae.display._draw import dated, one_panel, panels
from skvae.display._groups import Groups
from skvae.display._model import Model
from skvae.display._picture import Picture
from skvae.display._tables import n_rows_of, series_of

MOST_DIMENSIONS = 5
N_DRAWS = 100  # of each row's q(z | x)
SMALL, LARGE = 8, 18  # points of many rows, and of fewer than 1,000


class LatentSpaceDisplay(Picture):
    """Latent points of rows, as a scatter, with colours by another variable.

    More than two dimensions are shown in pairs. One dimension is shown against `y` where that is a
    number, and as a histogram elsewhere.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, latent_dim)
        The latent points.
    y : array-like of shape (n_samples,), default=None
        Text, categories, booleans and whole numbers of at most 12 values are labels, with a legend;
        other numbers, and times, have a colour bar.
    dims : sequence of int, default=None
        The dimensions that are shown. None is the first two to five.
    covariances : ndarray of shape (n_samples, latent_dim, latent_dim), default=None
        Of q(z | x) of each row, whose spread is drawn.
    names : list of str, default=None
        Of the latent dimensions.

    Attributes
    ----------
    Z, y, dims, covariances, names
        As given.
    ax_ : Axes
        The first panel; the only one of one or two dimensions.
    axes_ : ndarray of Axes of shape (n_panels, n_panels)
        Those above the diagonal are empty.
    figure_ : Figure

    See Also
    --------
    ManifoldDisplay : The rows that latent points stand for.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> from skvae.display import LatentSpaceDisplay
    >>> iris = load_iris()
    >>> vae = VAETransformer(max_iter=10, random_state=0).fit(iris.data)
    >>> y = iris.target_names[iris.target]
    >>> display = LatentSpaceDisplay.from_estimator(vae, iris.data, y)
    >>> display.Z.shape
    (150, 2)
    """

    def __init__(
        self,
        Z: np.ndarray,
        y: Any = None,
        *,
        dims: Any = None,
        covariances: Any = None,
        names: list[str] | None = None,
    ):
        self.Z = Z
        self.y = y
        self.dims = list(range(Z.shape[1]))[:MOST_DIMENSIONS] if dims is None else list(dims)
        self.covariances = covariances
        self.names = [f"latent {i}" for i in range(Z.shape[1])] if names is None else names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        dims: Any = None,
        spread: bool = False,
        ax: Any = None,
    ) -> Self:
        """Draw the latent points of rows.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
            A fitted one.
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
            Rows with the columns of `fit`.
        y : array-like of shape (n_samples,), default=None
            What colours tell.
        dims : sequence of int, default=None
            The dimensions to show. None is both of two, else the five that carry most nats, most
            first, or all.
        spread : bool, default=False
            Whether to draw an ellipse of one deviation of q(z | x) around each point.
        ax : Axes, default=None
            None makes a figure. More than two dimensions divide its place.

        Returns
        -------
        display : LatentSpaceDisplay

        Raises
        ------
        ValueError
            If `dims` names a dimension that the latent space does not have, or y is of another
            length than X.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> from skvae.display import LatentSpaceDisplay
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(max_iter=2, random_state=0).fit(X)
        >>> display = LatentSpaceDisplay.from_estimator(vae, X, X["petal length (cm)"], spread=True)
        >>> display.covariances.shape
        (150, 2, 2)
        >>> plt.close(display.figure_)
        """
        model = Model(estimator)
        _check_length(y, n_rows_of(X))
        if dims is None and model.latent_dim == 2:
            dims = (0, 1)  # the axes of ManifoldDisplay
        dims = model.dimensions(dims, MOST_DIMENSIONS)
        names = [model.told(i) for i in range(model.latent_dim)]
        covariances = _covariances(model.draws(X, N_DRAWS)) if spread else None
        return cls(model.codes(X), y, dims=dims, covariances=covariances, names=names).plot(ax)

    def plot(self, ax: Any = None, *, scatter_kwargs: dict | None = None) -> Self:
        """Draw the points.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a figure. More than two dimensions divide its place.
        scatter_kwargs : dict, default=None
            For `Axes.scatter`, such as ``{"s": 2}``.

        Returns
        -------
        display : LatentSpaceDisplay
            Itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skvae.display import LatentSpaceDisplay
        >>> Z = np.random.default_rng(0).normal(size=(50, 3))
        >>> display = LatentSpaceDisplay(Z, Z[:, 0] > 0).plot(scatter_kwargs={"s": 2})
        >>> display.axes_.shape
        (2, 2)
        >>> plt.close(display.figure_)
        """
        _check_length(self.y, len(self.Z))
        n = len(self.dims) - 1
        self.axes_ = panels(ax, (n, n), (2.6 * n, 2.3 * n)) if n > 1 else one_panel(ax)
        style = {"s": SMALL if len(self.Z) > 1000 else LARGE, "alpha": 0.7}
        draw = self._draw_pairs if n else self._draw_curve
        draw(Groups(self.y), style | (scatter_kwargs or {}))
        return self

    def _draw_pairs(self, groups: Groups, style: dict) -> None:
        """Each dimension but the first against each but the last, below the diagonal."""
        for i, j in np.argwhere(np.tri(len(self.axes_))):
            pair = [self.dims[j], self.dims[i + 1]]
            self._draw_spread(self.axes_[i, j], groups, pair)
            groups.scatter(self.axes_[i, j], *self.Z[:, pair].T, **style)
        for ax, i in zip(self.axes_[-1], self.dims, strict=False):
            ax.set_xlabel(self.names[i])
        for ax, i in zip(self.axes_[:, 0], self.dims[1:], strict=True):
            ax.set_ylabel(self.names[i])
        for i, j in np.argwhere(1 - np.tri(len(self.axes_))):
            self.axes_[i, j].set_axis_off()
        groups.legend(self.axes_)

    def _draw_spread(self, ax: Any, groups: Groups, pair: list) -> None:
        """An ellipse of one deviation around each point."""
        if self.covariances is None:
            return
        from matplotlib.collections import EllipseCollection

        widths, heights, angles = _ellipses(self.covariances[:, pair][:, :, pair])
        place = {"offsets": self.Z[:, pair], "offset_transform": ax.transData, "units": "xy"}
        look = {"facecolors": groups.shades(), "alpha": 0.12, "linewidths": 0}
        ax.add_collection(EllipseCollection(widths, heights, angles, **place, **look))

    def _draw_curve(self, groups: Groups, style: dict) -> None:
        """One dimension, against a number or time, or as a histogram of each label."""
        i, ax = self.dims[0], self.ax_
        ax.set(xlabel=self.names[i], ylabel=(groups.name or "y") if groups.is_measured else "rows")
        if not groups.is_measured:
            groups.hist(ax, self.Z[:, i])
            return
        if self.covariances is not None:
            ax.hlines(groups.numbers, *self._spans(i), alpha=0.3, lw=0.8)
        groups.scatter(ax, self.Z[:, i], groups.numbers, **style)
        dated(ax, groups.kind, "y")

    def _spans(self, i: int) -> np.ndarray:
        """One deviation to both sides of each point."""
        return self.Z[:, i] + np.outer([-1, 1], np.sqrt(self.covariances[:, i, i]))


def _check_length(y: Any, n_rows: int) -> None:
    """Refuse a y that does not go with the rows."""
    n = n_rows if y is None else len(series_of(y))
    if n != n_rows:
        raise ValueError(f"y has {n} values, but X has {n_rows} rows; give one for each row.")


def _ellipses(covariances: np.ndarray) -> tuple:
    """Widths, heights and angles in degrees, of one deviation."""
    variances, axes = np.linalg.eigh(covariances)
    widths, heights = 2 * np.sqrt(np.maximum(variances, 0)).T
    return widths, heights, np.degrees(np.arctan2(axes[:, 1, 0], axes[:, 0, 0]))


def _covariances(draws: np.ndarray) -> np.ndarray:
    """Of the draws of each row, (draws, rows, d) to (rows, d, d)."""
    deviations = draws - draws.mean(axis=0)
    return np.einsum("dri,drj->rij", deviations, deviations) / (len(draws) - 1)
