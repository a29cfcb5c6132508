"""How training went."""

from typing import Any, Self

import numpy as np

from skvae.display._draw import GREY, colour, panels, quiet
from skvae.display._model import Model
from skvae.display._picture import Picture

SHARE_SEEN = 0.9  # of the epochs, at least, lies within the panel of losses
FAR = 3.0  # times as wide as that share: only then are first epochs cut off


class LossCurveDisplay(Picture):
    """Losses of training and held-out rows by epoch, with log-likelihood and KL apart.

    Both losses are at the last beta throughout, so that they compare from the first epoch to the
    last, also while beta rises. Where the first epochs are far above all others, they are cut off,
    and the picture says so.

    Parameters
    ----------
    history : dict of ndarray of shape (n_epochs,)
        "loss", "validation_loss", "log_likelihood", "kl" and "beta", in nats per row, as in
        `history_` of a VAETransformer.
    best_iter : int
        The epoch whose weights were kept, from 1 on.

    Attributes
    ----------
    history : dict of ndarray
    best_iter : int
    epochs : ndarray of shape (n_epochs,)
        1, 2, 3, ...
    limits : tuple of float
        The losses between which the first panel is.
    ax_ : Axes
        Of the losses.
    axes_ : ndarray of Axes of shape (3,)
        Of the losses, the log-likelihood and the KL.
    figure_ : Figure

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> from skvae.display import LossCurveDisplay
    >>> vae = VAETransformer(max_iter=10, random_state=0).fit(load_iris().data)
    >>> display = LossCurveDisplay.from_estimator(vae)
    >>> display.best_iter == vae.best_iter_
    True
    """

    def __init__(self, history: dict, best_iter: int):
        self.history = history
        self.best_iter = best_iter

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the curves of a fitted estimator.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
            A fitted one.
        ax : Axes, default=None
            Whose place is divided into the panels. None makes a figure.

        Returns
        -------
        display : LossCurveDisplay

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> from skvae.display import LossCurveDisplay
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(max_iter=2, random_state=0).fit(X)
        >>> display = LossCurveDisplay.from_estimator(vae)
        >>> len(display.history["loss"])
        2
        >>> plt.close(display.figure_)
        """
        vae = Model(estimator).vae
        return cls(dict(vae.history_), vae.best_iter_).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : Axes, default=None
            Whose place is divided into the panels. None makes a figure.

        Returns
        -------
        display : LossCurveDisplay
            Itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skvae.display import LossCurveDisplay
        >>> names = ["loss", "validation_loss", "log_likelihood", "kl", "beta"]
        >>> history = dict.fromkeys(names, np.array([3.0, 2.0, 1.5]))
        >>> display = LossCurveDisplay(history, best_iter=3).plot()
        >>> display.ax_.get_ylabel().splitlines()
        ['loss in nats per row', '(lower is better)']
        >>> plt.close(display.figure_)
        """
        self.axes_ = panels(ax, (3, 1), (6.4, 6.4), height_ratios=(2, 1, 1))[:, 0]
        self._draw_curve(self.axes_[0])
        self._draw_term(1, "log_likelihood", "log-likelihood\n(higher is better)", colour(2))
        self._draw_term(2, "kl", "KL to the prior\n(nats per row)", colour(4))
        self._name(*self.axes_)
        return self

    def _name(self, *axes: Any) -> None:
        """Epochs below all panels."""
        for panel in axes[:-1]:
            panel.sharex(axes[-1])
            panel.tick_params(labelbottom=False)
        axes[-1].set_xlabel("epoch")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        axes[-1].figure.align_ylabels(axes)

    @property
    def epochs(self) -> np.ndarray:
        """Numbers of the epochs.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.display import LossCurveDisplay
        >>> names = ["loss", "validation_loss", "log_likelihood", "kl", "beta"]
        >>> history = dict.fromkeys(names, np.array([3.0, 2.0, 1.5]))
        >>> LossCurveDisplay(history, best_iter=3).epochs
        array([1, 2, 3])
        """
        return np.arange(1, len(self.history["loss"]) + 1)

    @property
    def limits(self) -> tuple[float, float]:
        """The losses between which the first panel is.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.display import LossCurveDisplay
        >>> names = ["loss", "validation_loss", "log_likelihood", "kl", "beta"]
        >>> history = dict.fromkeys(names, np.array([3.0, 2.0, 1.5]))
        >>> low, high = LossCurveDisplay(history, best_iter=3).limits
        >>> low < 1.5 and high > 3.0
        True
        """
        losses = np.concatenate([self.history["loss"], self.history["validation_loss"]])
        (low, high), top = np.quantile(losses, [0, SHARE_SEEN]), losses.max()
        span = high - low or 1.0
        top = top if top - low <= FAR * span else high + 0.3 * span
        return float(low - 0.08 * span), float(top + 0.08 * span)

    def _draw_curve(self, ax: Any) -> None:
        loss, held_out = self.history["loss"], self.history["validation_loss"]
        ax.plot(self.epochs, loss, color=colour(0), label="training rows")
        if not np.array_equal(loss, held_out):
            ax.plot(self.epochs, held_out, color=colour(1), label="held-out rows")
        ax.set(ylabel="loss in nats per row\n(lower is better)", ylim=self.limits)
        self._mark_best(ax, held_out[self.best_iter - 1])
        self._tell(ax)
        self._tell_cut(ax, max(loss[0], held_out[0]))
        ax.legend(loc="upper right")

    def _mark_best(self, ax: Any, loss: float) -> None:
        label = f"best epoch: {self.best_iter}, {loss:.4g} nats"
        ax.plot(self.best_iter, loss, "*", color=colour(3), ms=13, mec=GREY, label=label)

    def _draw_term(self, i: int, name: str, label: str, shade: str) -> None:
        ax = self.axes_[i]
        ax.plot(self.epochs, self.history[name], color=shade)
        ax.axvline(self.best_iter, color=colour(3), ls=":")
        ax.set(ylabel=label)
        self._shade(ax)

    @property
    def _moving(self) -> np.ndarray:
        """Epochs in which beta is not what it ends at."""
        beta = self.history["beta"]
        return self.epochs[beta != beta[-1]]

    def _shade(self, ax: Any) -> None:
        for run in _runs(self._moving):
            ax.axvspan(run[0] - 0.5, run[-1] + 0.5, facecolor=GREY, alpha=0.15)

    def _tell(self, ax: Any) -> None:
        self._shade(ax)
        if len(self._moving):
            text = f"grey: beta on its way to {self.history['beta'][-1]:.3g}"
            quiet(ax, text, (0.01, 0.02), va="bottom")

    def _tell_cut(self, ax: Any, start: float) -> None:
        if start > self.limits[1]:
            quiet(ax, f"↑ epoch 1: {start:.4g}", (0.01, 0.98))


def _runs(epochs: np.ndarray) -> list[np.ndarray]:
    """Epochs that follow each other."""
    return np.split(epochs, np.flatnonzero(np.diff(epochs) > 1) + 1) if len(epochs) else []
