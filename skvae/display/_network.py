"""The networks of a model, with what goes in and comes out."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skvae.display._draw import colour, one_panel, short
from skvae.display._model import Model

MOST_LAYERS = 7  # of each network; the others are counted
MOST_GROUPS, MOST_NAMES = 10, 3  # likelihoods, and columns named of each
BAR = 0.5  # of the distance between two layers


class NetworkDisplay:
    """The encoder, the latent space and the decoder, with the likelihoods of columns.

    The height of a layer grows with the logarithm of its width.

    Parameters
    ----------
    encoder, decoder : list of (str, int)
        Name and width of each layer, from what goes in to what comes out.
    latent_dim : int
    prior, posterior : str
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
        self, encoder, decoder, latent_dim, prior, posterior, likelihoods, *, autoregressive=False
    ):
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim
        self.prior = prior
        self.posterior = posterior
        self.likelihoods = likelihoods
        self.autoregressive = autoregressive

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the networks of a fitted estimator.

        Parameters
        ----------
        estimator : VAETransformer, estimator around one, or Pipeline that ends in one
        ax : Axes, default=None
            None makes a figure.

        Returns
        -------
        display : NetworkDisplay
        """
        model = Model(estimator)
        vae, likelihoods = model.vae, {}
        for name, likelihood in vae.likelihood_.items():
            likelihoods.setdefault(repr(likelihood), []).append(name)
        networks = (
            [("inputs", int(network.input_shape[-1])), *_layers(network)]
            for network in (vae.encoder_, vae.decoder_)
        )
        parts = *networks, model.latent_dim, repr(vae.prior_), repr(vae.posterior_), likelihoods
        return cls(*parts, autoregressive=vae.autoregressive).plot(ax)

    def plot(self, ax=None):
        """Draw the networks.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a figure.

        Returns
        -------
        display : NetworkDisplay
        """
        encoder, decoder = _few(self.encoder), _few(self.decoder[1:])
        bars = [*encoder, ("z", self.latent_dim), *decoder]
        self.ax_ = one_panel(ax, (1.0 * len(bars) + 3.5, 4.6))
        self.figure_ = self.ax_.figure
        heights = [np.log2(1 + width) for _, width in bars]
        for i in range(len(bars) - 1):
            self._join(i, heights[i : i + 2], colour(0 if i < len(encoder) else 1))
        for i, ((name, width), height) in enumerate(zip(bars, heights, strict=True)):
            place = int(i > len(encoder)) if i != len(encoder) else 3
            self._draw_layer(i, height, colour(place), (name, width))
        top = max(heights) / 2
        self._head(len(encoder) / 2 - 0.5, top, "encoder")
        self._head(len(encoder) + (len(decoder) + 1) / 2, top, "decoder")
        self._tell(top)
        self.ax_.set(xlim=(-0.6, len(bars) - 0.4), ylim=(-top - 1.6, top + 2.0))
        self.ax_.set_axis_off()
        return self

    def _join(self, i: int, heights: list, shade: str) -> None:
        """The trapezoid between two layers."""
        left, right = np.array(heights) / 2
        x = [i + BAR / 2, i + 1 - BAR / 2, i + 1 - BAR / 2, i + BAR / 2]
        self.ax_.fill(x, [-left, -right, right, left], color=shade, alpha=0.2, lw=0)

    def _draw_layer(self, i: int, height: float, shade: str, layer: tuple) -> None:
        name, width = layer
        self.ax_.bar(i, height, BAR, -height / 2, color=shade)
        self.ax_.text(i, height / 2 + 0.15, f"{width:,}", ha="center", va="bottom", fontsize=9)
        below = name.replace(" ", "\n")
        self.ax_.text(i, -height / 2 - 0.15, below, ha="center", va="top", fontsize=8)

    def _head(self, x: float, top: float, text: str) -> None:
        self.ax_.text(x, top + 1.1, text, ha="center", va="bottom", fontsize=11)

    def _tell(self, top: float) -> None:
        """What is known of x and of z, beside the networks."""
        n_columns = sum(len(names) for names in self.likelihoods.values())
        lines = [f"p(z): {self.prior}", f"q(z | x): {self.posterior}", ""]
        lines += [f"p(x | z) of {n_columns} columns:"]
        groups = sorted(self.likelihoods.items(), key=lambda item: -len(item[1]))
        lines += [_group(*item) for item in groups[:MOST_GROUPS]]
        if len(groups) > MOST_GROUPS:
            lines.append(f"and {len(groups) - MOST_GROUPS} other likelihoods")
        lines += ["each cell sees those before it"] * self.autoregressive
        place = {"transform": self.ax_.transAxes, "va": "center", "fontsize": 9}
        self.ax_.text(1.01, 0.5, "\n".join(lines), **place)


def _layers(network: Any) -> Iterator[tuple]:
    """Name and width of the layers of a Keras model, those of models inside of it too."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        elif type(layer).__name__ != "InputLayer":
            activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
            name = type(layer).__name__ + (f" {activation}" if activation != "linear" else "")
            yield name, int(np.prod([size or 1 for size in layer.output.shape[1:]]))


def _few(layers: list) -> list:
    """Layers that find room: of many, those at both ends and how many are between."""
    if len(layers) <= MOST_LAYERS:
        return layers
    left, right = MOST_LAYERS // 2, MOST_LAYERS // 2
    between = layers[left:-right]
    return [*layers[:left], (f"{len(between)} more", between[-1][1]), *layers[-right:]]


def _group(likelihood: str, columns: list) -> str:
    """A likelihood and its columns."""
    names = ", ".join(short(name, 20) for name in columns[:MOST_NAMES])
    more = len(columns) - MOST_NAMES
    return f"{short(likelihood, 40)}\n    {names}" + (f" and {more} more" if more > 0 else "")
