"""The networks of a model, with what goes in and comes out."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Self

import numpy as np

from skvae.display._draw import colour, one_panel, short
from skvae.display._model import Model
from skvae.display._picture import Picture

MOST_LAYERS = 7  # of each network; the others are counted
MOST_GROUPS, MOST_NAMES = 10, 3  # likelihoods, and columns named of each
BAR = 0.5  # of the distance between two layers


class NetworkDisplay(Picture):
    """The encoder, the latent space and the decoder, with the likelihoods of columns.

    The height of a layer grows with the logarithm of its width.

    Parameters
    ----------
    encoder, decoder : list of (str, int)
        Name and width of each layer, from what goes in to what comes out.
    latent_dim : int
        Latent dimensions.
    prior, posterior : str
        What p(z) and q(z | x) are.
    likelihoods : dict of {str: list of columns}
        Columns of each likelihood.
    autoregressive : bool, default=False
        Whether cells see each other.

    Attributes
    ----------
    encoder, decoder, latent_dim, prior, posterior, likelihoods, autoregressive
        As given.
    ax_ : Axes
    figure_ : Figure

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> from skvae.display import NetworkDisplay
    >>> vae = VAETransformer(max_iter=10, random_state=0).fit(load_iris().data)
    >>> display = NetworkDisplay.from_estimator(vae)
    >>> display.encoder
    [('inputs', 8), ('Dense relu', 256), ('Dense relu', 128), ('Dense', 4)]
    """

    def __init__(
        self,
        encoder: list,
        decoder: list,
        latent_dim: int,
        prior: str,
        posterior: str,
        likelihoods: dict,
        *,
        autoregressive: bool = False,
    ):
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim
        self.prior = prior
        self.posterior = posterior
        self.likelihoods = likelihoods
        self.autoregressive = autoregressive

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the networks of a fitted estimator.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
            A fitted one.
        ax : Axes, default=None
            None makes a figure.

        Returns
        -------
        display : NetworkDisplay

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skvae import VAETransformer
        >>> from skvae.display import NetworkDisplay
        >>> X = load_iris(as_frame=True).data
        >>> vae = VAETransformer(max_iter=2, random_state=0).fit(X)
        >>> display = NetworkDisplay.from_estimator(vae)
        >>> display.decoder[0]
        ('inputs', 2)
        >>> plt.close(display.figure_)
        """
        model = Model(estimator)
        vae = model.vae
        networks = _layers(vae.encoder_), _layers(vae.decoder_)
        distributions = repr(vae.prior_), repr(vae.posterior_)
        of_cells, sees = _by_likelihood(vae.likelihood_), vae.autoregressive
        display = cls(*networks, model.latent_dim, *distributions, of_cells, autoregressive=sees)
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the networks.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a figure.

        Returns
        -------
        display : NetworkDisplay
            Itself.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skvae.display import NetworkDisplay
        >>> layers = [("inputs", 4), ("Dense relu", 16), ("Dense", 4)]
        >>> names = "Normal()", "Gaussian()", {"Gaussian()": ["age", "size"]}
        >>> display = NetworkDisplay(layers, layers, 2, *names).plot()
        >>> len(display.ax_.patches)
        6
        >>> plt.close(display.figure_)
        """
        bars = self._bars
        self.axes_ = one_panel(ax, (len(bars) + 3.5, 4.6))
        for i, bar in enumerate(bars):
            self._draw_layer(i, *bar)
        for i, pair in enumerate(pairwise(bars)):
            self._join(i, *pair)
        top = max(_height(width) for _, width, _ in bars) / 2
        self.ax_.set(xlim=(-0.6, len(bars) - 0.4), ylim=(-top - 1.6, top + 2.0))
        self.ax_.set_axis_off()
        self._head(len(_few(self.encoder)), len(bars), top + 1.1)
        self._tell(self.ax_)
        return self

    @property
    def _bars(self) -> list:
        """Name, width and colour of all that is drawn, from left to right."""
        encoder = [(*layer, 0) for layer in _few(self.encoder)]
        decoder = [(*layer, 1) for layer in _few(self.decoder[1:])]
        return [*encoder, ("z", self.latent_dim, 3), *decoder]

    def _draw_layer(self, i: int, name: str, width: int, shade: int) -> None:
        half, style = _height(width) / 2, {"ha": "center", "fontsize": 8}
        self.ax_.bar(i, 2 * half, BAR, -half, color=colour(shade))
        self.ax_.text(i, half + 0.15, f"{width:,}", va="bottom", **style)
        self.ax_.text(i, -half - 0.15, name.replace(" ", "\n"), va="top", **style)

    def _join(self, i: int, left: tuple, right: tuple) -> None:
        """The trapezoid between two layers."""
        x, low, high = [i + BAR / 2, i + 1 - BAR / 2], _height(left[1]) / 2, _height(right[1]) / 2
        shade = colour(min(left[2], right[2]))
        self.ax_.fill_between(x, [-low, -high], [low, high], color=shade, alpha=0.2, lw=0)

    def _head(self, z: int, n: int, y: float) -> None:
        self.ax_.text((z - 1) / 2, y, "encoder", ha="center", fontsize=11)
        self.ax_.text((z + n) / 2, y, "decoder", ha="center", fontsize=11)

    def _tell(self, ax: Any) -> None:
        """What is known of x and of z, beside the networks."""
        n_columns = sum(map(len, self.likelihoods.values()))
        lines = [f"p(z): {self.prior}", f"q(z | x): {self.posterior}", ""]
        lines += [f"p(x | z) of {n_columns} columns:", *_told(self.likelihoods)]
        lines += ["each cell sees those before it"] * self.autoregressive
        ax.text(1.01, 0.5, "\n".join(lines), transform=ax.transAxes, va="center", fontsize=9)


def _height(width: int) -> float:
    return np.log2(1 + width)


def _layers(network: Any) -> list[tuple]:
    """Name and width of the inputs and the layers of a Keras model."""
    return [("inputs", int(network.input_shape[-1])), *_inside(network)]


def _inside(network: Any) -> Iterator[tuple]:
    """Name and width of layers, those of models inside of a model too."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from _inside(layer)
        elif type(layer).__name__ != "InputLayer":
            activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
            name = type(layer).__name__ + f" {activation}".replace(" linear", "")
            yield name, int(np.prod([size or 1 for size in layer.output.shape[1:]]))


def _few(layers: list) -> list:
    """Layers that find room: of many, those at both ends and how many are between."""
    if len(layers) <= MOST_LAYERS:
        return layers
    half = MOST_LAYERS // 2
    between = layers[half:-half]
    return [*layers[:half], (f"{len(between)} more", between[-1][1]), *layers[-half:]]


def _by_likelihood(likelihoods: dict) -> dict:
    """The columns of each likelihood."""
    columns: dict = defaultdict(list)
    for name, likelihood in likelihoods.items():
        columns[repr(likelihood)].append(name)
    return columns


def _told(likelihoods: dict) -> Iterator[str]:
    """Lines on likelihoods and their columns, that of most columns first."""
    groups = sorted(likelihoods.items(), key=lambda item: -len(item[1]))
    for likelihood, columns in groups[:MOST_GROUPS]:
        names = ", ".join(short(name, 20) for name in columns[:MOST_NAMES])
        more = len(columns) - MOST_NAMES
        yield short(likelihood, 40)
        yield f"    {names}" + (f" and {more} more" if more > 0 else "")
    if len(groups) > MOST_GROUPS:
        yield f"and {len(groups) - MOST_GROUPS} other likelihoods"
