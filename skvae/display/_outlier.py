"""Why a row is an outlier."""

from typing import Any, Self

import numpy as np

from skvae.display._draw import GREY, colour, one_panel, short
from skvae.display._picture import Picture
from skvae.display._tables import frame_of, n_rows_of


class OutlierDisplay(Picture):
    """The cells of a row by the nats that each costs above what is usual, the largest on top.

    Cells that are missing are left out. Cells that cost less than usual are on the left of zero.

    Parameters
    ----------
    cells : list of str
        "column = value" of each observed cell.
    nats : ndarray of shape (n_cells,)
        What each of them costs above what is usual.
    score : float
        Of the row, less the score below which rows are outliers.
    row : int
        Its number.

    Attributes
    ----------
    cells, nats, score, row
        As given, the cells that cost most first.
    ax_ : Axes
    figure_ : Figure

    Examples
    --------
    >>> from skvae.display import OutlierDisplay
    >>> display = OutlierDisplay(["age = 3", "job = clerk"], [0.2, 7.5], -4.0, 12).plot()
    >>> display.cells
    ['job = clerk', 'age = 3']
    """

    def __init__(self, cells: list[str], nats: Any, score: float, row: int):
        order = np.argsort(-np.asarray(nats), kind="stable")
        self.cells = [cells[i] for i in order]
        self.nats = np.asarray(nats)[order]
        self.score = score
        self.row = row

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, row: int, *, n: int = 10, ax: Any = None
    ) -> Self:
        """Explain and draw a row.

        Parameters
        ----------
        estimator : VAEOutlierDetector, or Pipeline that ends in one
            A fitted one. Steps before it that change columns, and not only their cells, are seen:
            the columns are those that the detector gets.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows with the columns of `fit`.
        row : int
            The number of the row in X, from 0 on.
        n : int, default=10
            Bars at most; the other cells are one more.
        ax : Axes, default=None
            None makes a figure.

        Returns
        -------
        display : OutlierDisplay

        Raises
        ------
        TypeError
            If `estimator` does not explain rows, as a VAETransformer does not.
        ValueError
            If X does not have so many rows.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAEOutlierDetector, VAETransformer
        >>> from skvae.display import OutlierDisplay
        >>> X = load_iris(as_frame=True).data
        >>> detector = VAEOutlierDetector(VAETransformer(max_iter=2), random_state=0).fit(X)
        >>> display = OutlierDisplay.from_estimator(detector, X, 0)
        >>> sorted(display.cells)[0]
        'petal length (cm) = 1.4'
        >>> plt.close(display.figure_)
        """
        before, detector = _steps(estimator)
        one = _row(X, row)
        given = one if before is None else before.transform(one)
        nats = frame_of(detector.explain(given)).to_numpy(float)[0]
        values = _values(before, given, frame_of(one))
        seen = np.flatnonzero(~np.isnan(nats) & values.notna().to_numpy()[0])
        cells = [f"{short(name)} = {_told(values[name].iloc[0])}" for name in values.columns[seen]]
        score = float(np.asarray(detector.score_samples(given))[0] - detector.offset_)
        return cls(cells, nats[seen], score, row).plot(ax, n=n)

    def plot(self, ax: Any = None, *, n: int = 10) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a figure.
        n : int, default=10
            Bars at most; the other cells are one more.

        Returns
        -------
        display : OutlierDisplay
            Itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skvae.display import OutlierDisplay
        >>> display = OutlierDisplay(["age = 3", "job = clerk"], [0.2, 7.5], -4.0, 12).plot()
        >>> display.ax_.get_title()
        'row 12 is an outlier: decision score -4'
        >>> plt.close(display.figure_)
        """
        names, nats = self._bars(n)
        self.axes_ = one_panel(ax, (6.4, 0.32 * len(names) + 1.3))
        shades = [colour(int(value > 0)) for value in nats]
        bars = self.ax_.barh(np.arange(len(names)), nats, color=shades)
        self.ax_.bar_label(bars, fmt=_figure, padding=3, fontsize=8)
        if len(self.cells) > n:
            bars[-1].set_color(GREY)
        self.ax_.set_yticks(np.arange(len(names)), names)
        self._tell(self.ax_)
        return self

    def _bars(self, n: int) -> tuple:
        """Names and nats of the first cells, and of the others together."""
        if len(self.cells) <= n:
            return self.cells, self.nats
        rest = self.nats[n:]
        return [*self.cells[:n], f"{len(rest)} others"], np.append(self.nats[:n], rest.sum())

    def _tell(self, ax: Any) -> None:
        ax.invert_yaxis()
        ax.axvline(0, color=GREY, lw=0.8)
        verdict = "an outlier" if self.score < 0 else "no outlier"
        title = f"row {self.row} is {verdict}: decision score {self.score:.3g}"
        ax.set(title=title, xlabel="nats above what is usual", xmargin=0.18)


def _steps(estimator: Any) -> tuple:
    """The steps before a detector, if there are some, and the detector."""
    steps = hasattr(estimator, "steps")
    detector = estimator[-1] if steps else estimator
    if not hasattr(detector, "explain"):
        raise TypeError(
            f"{detector!r} does not explain why a row is an outlier; give a fitted "
            "VAEOutlierDetector, or a Pipeline that ends in one."
        )
    return estimator[:-1] if steps and len(estimator) > 1 else None, detector


def _values(before: Any, given: Any, rows: Any) -> Any:
    """Cells as the user gave them, or where steps make other columns as a detector sees them."""
    try:
        names = list(before.get_feature_names_out())
    except AttributeError:  # no steps, or some that do not tell
        return rows if before is None else frame_of(given)
    numbered = [f"x{i}" for i in range(rows.shape[1])]
    same = names == list(getattr(before, "feature_names_in_", numbered))
    return rows if same else frame_of(given, names)


def _row(X: Any, row: int) -> Any:
    """One row of a table, as a table."""
    if not 0 <= row < n_rows_of(X):
        raise ValueError(f"row={row}, but X has {n_rows_of(X)} rows; give a number from 0 on.")
    return getattr(X, "iloc", X)[row : row + 1]


def _figure(nats: float) -> str:
    """Nats with the digits that tell."""
    return f"{nats:,.0f}" if abs(nats) >= 100 else f"{nats:.2g}" if abs(nats) >= 0.005 else "0"


def _told(value: Any) -> str:
    """A cell as text."""
    if isinstance(value, float | np.floating):
        return f"{value:.5g}"
    return short(str(value).removesuffix(" 00:00:00"), 18)
