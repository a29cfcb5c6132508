"""Where rows lie in the latent space."""

from typing import Any

import numpy as np

from skvae.display._draw import as_dates, one_panel, panels
from skvae.display._groups import Groups
from skvae.display._model import Model
from skvae.display._tables import TIME

MOST_DIMENSIONS = 5
N_DRAWS = 100  # of each row's q(z | x)
SMALL, LARGE = 8, 18  # points of many rows, and of fewer than 1,000


class LatentSpaceDisplay:
    """Latent points of rows, as a scatter, with colours by another variable.

    More than two dimensions are shown in pairs. One dimension is shown against `y` where that is a
    number, and as a histogram elsewhere.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, latent_dim)
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

    def __init__(self, Z, y=None, *, dims=None, covariances=None, names=None):
        self.Z = Z
        self.y = y
        self.dims = list(range(Z.shape[1]))[:MOST_DIMENSIONS] if dims is None else list(dims)
        self.covariances = covariances
        self.names = [f"latent {i}" for i in range(Z.shape[1])] if names is None else names

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, dims=None, spread=False, ax=None):
        """Draw the latent points of rows.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
        X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            What colours tell.
        dims : sequence of int, default=None
            The dimensions to show. None is the five that carry most nats, most first, or all.
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
        """
        model = Model(estimator)
        dims = model.dimensions(dims, MOST_DIMENSIONS)
        names = [model.told(i) for i in range(model.latent_dim)]
        covariances = _covariances(model.draws(X, N_DRAWS)) if spread else None
        return cls(model.codes(X), y, dims=dims, covariances=covariances, names=names).plot(ax)

    def plot(self, ax=None, *, scatter_kwargs=None):
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
        """
        groups, n = Groups(self.y), len(self.dims) - 1
        if self.y is not None and len(self.y) != len(self.Z):
            raise ValueError(f"y has {len(self.y)} values, but X has {len(self.Z)} rows.")
        self.axes_ = (
            np.array([[one_panel(ax)]]) if n < 2 else panels(ax, (n, n), (2.6 * n, 2.3 * n))
        )
        self.ax_, self.figure_ = self.axes_[0, 0], self.axes_[0, 0].figure
        style = {"s": SMALL if len(self.Z) > 1000 else LARGE, "alpha": 0.7}
        if n == 0:
            self._draw_line(groups, style | (scatter_kwargs or {}))
        else:
            self._draw_pairs(groups, style | (scatter_kwargs or {}))
        return self

    def _draw_pairs(self, groups: Groups, style: dict) -> None:
        """Each dimension but the first against each but the last, below the diagonal."""
        last = len(self.axes_) - 1
        for i, j in np.argwhere(np.tri(last + 1)):
            panel, pair = self.axes_[i, j], [self.dims[j], self.dims[i + 1]]
            self._draw_spread(panel, groups, pair)
            groups.scatter(panel, *self.Z[:, pair].T, **style)
            panel.set_xlabel(self.names[pair[0]] if i == last else None)
            panel.set_ylabel(self.names[pair[1]] if j == 0 else None)
        for i, j in np.argwhere(1 - np.tri(last + 1)):
            self.axes_[i, j].set_axis_off()
        if last and not groups.is_measured:
            self._tell_in_corner(groups)
        else:
            groups.tell(self.ax_, self.axes_.ravel().tolist())

    def _tell_in_corner(self, groups: Groups) -> None:
        """The legend in the empty panel at the top on the right."""
        handles, labels = self.ax_.get_legend_handles_labels()
        corner = {"handles": handles, "labels": labels, "loc": "upper right", "fontsize": 8}
        groups.legend(self.axes_[0, -1], bbox_to_anchor=(1, 1), **corner)

    def _draw_spread(self, ax: Any, groups: Groups, pair: list) -> None:
        """An ellipse of one deviation around each point."""
        if self.covariances is None:
            return
        from matplotlib.collections import EllipseCollection

        variances, axes = np.linalg.eigh(self.covariances[np.ix_(range(len(self.Z)), pair, pair)])
        widths, heights = 2 * np.sqrt(np.maximum(variances, 0)).T
        angles = np.degrees(np.arctan2(axes[:, 1, 0], axes[:, 0, 0]))
        place = {"offsets": self.Z[:, pair], "offset_transform": ax.transData, "units": "xy"}
        look = {"facecolors": groups.colours(), "alpha": 0.12, "linewidths": 0}
        ax.add_collection(EllipseCollection(widths, heights, angles, **place, **look))

    def _draw_line(self, groups: Groups, style: dict) -> None:
        """One dimension, against a number or time, or as a histogram of each label."""
        ax, z = self.ax_, self.Z[:, self.dims[0]]
        ax.set_xlabel(self.names[self.dims[0]])
        if groups.is_measured:
            if self.covariances is not None:
                widths = np.sqrt(self.covariances[:, self.dims[0], self.dims[0]])
                ax.errorbar(z, groups.numbers, xerr=widths, fmt="none", alpha=0.3, lw=0.8)
            groups.scatter(ax, z, groups.numbers, **style)
            ax.set_ylabel(groups.name or "y")
            if groups.kind == TIME:
                as_dates(ax.yaxis)
        else:
            groups.histogram(ax, z)
            ax.set_ylabel("rows")


def _covariances(draws: np.ndarray) -> np.ndarray:
    """Of the draws of each row, (draws, rows, d) to (rows, d, d)."""
    deviations = draws - draws.mean(axis=0)
    return np.einsum("dri,drj->rij", deviations, deviations) / (len(draws) - 1)
