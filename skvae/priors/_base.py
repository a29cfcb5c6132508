"""The interface of p(z)."""

from abc import abstractmethod
from typing import Any

import numpy as np

from skvae._component import Component


class Prior(Component):
    """Distribution of the latent points, p(z).

    Subclass it to bring your own: `log_prob` (with `keras.ops`) and `sample` (with NumPy) are
    enough. `q` is the encoder with its posterior, as functions: `q.encode(features)` gives raw
    numbers, `q.sample(raw, noise)` points with their log-density, and `q.log_prob(raw, z)` the
    log-density of any points. Most priors have no use for it.

    Examples
    --------
    >>> import numpy as np
    >>> from keras import ops
    >>> from skvae.priors import Prior
    >>> class Logistic(Prior):
    ...     def log_prob(self, w, z, q):
    ...         return ops.sum(-z - 2 * ops.softplus(-z), axis=-1)
    ...
    ...     def sample(self, w, noise, q):
    ...         return 1.702 * noise  # nearly
    >>> np.array(Logistic().log_prob({}, np.zeros((1, 1), np.float32), None)).round(3)
    array([-1.386], dtype=float32)
    """

    @property
    def in_training(self) -> "Prior":
        """The prior of training: itself, or one without arrays, which `fitted` turns into this.

        Examples
        --------
        >>> from skvae.priors import Fitted, Mixture
        >>> Mixture().in_training, Fitted().in_training
        (Mixture(), Normal())
        """
        return self

    def fitted(self, z: np.ndarray, seed: int) -> dict:
        """Its arrays if it is not the one in training.

        Parameters
        ----------
        z : ndarray of shape (n, latent_dim)
            Draws of q(z | x).
        seed : int
            The only source of randomness.

        Returns
        -------
        arrays : dict of {str: ndarray}
            What comes back as `w`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.priors import Fitted
        >>> z = np.random.default_rng(0).normal(size=(100, 2))
        >>> Fitted(n_components=2).fitted(z, seed=0)["mean"].shape
        (2, 2)
        """
        raise NotImplementedError

    def init(self, latent_dim: int, rng: np.random.Generator, features: np.ndarray) -> dict:
        """Arrays of its own that it wants trained, at their first values.

        Parameters
        ----------
        latent_dim : int
            Dimension of latent points.
        rng : Generator
            The only source of randomness.
        features : ndarray of shape (rows, n_features)
            Some training rows as the encoder sees them.

        Returns
        -------
        arrays : dict of {str: ndarray}
            In float32; they come back trained, as `w`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.priors import Mixture, Normal
        >>> rng, features = np.random.default_rng(0), np.zeros((5, 3))
        >>> Normal().init(2, rng, features)
        {}
        >>> Mixture(n_components=4).init(2, rng, features)["mean"].shape
        (4, 2)
        """
        return {}

    @abstractmethod
    def log_prob(self, w: dict, z: Any, q: Any) -> Any:
        """Log-density of latent points, in nats.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` or `fitted`.
        z : array of shape (..., latent_dim)
            Latent points.
        q : object
            The encoder with its posterior, as functions.

        Returns
        -------
        log_prob : array of shape (...)
            Made by `keras.ops`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.priors import Normal
        >>> np.array(Normal().log_prob({}, np.zeros((1, 2), np.float32), None)).round(3)
        array([-1.838], dtype=float32)
        """

    @abstractmethod
    def sample(self, w: dict, noise: np.ndarray, q: Any) -> np.ndarray:
        """Latent points made from standard normal noise.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` or `fitted`.
        noise : ndarray of shape (n, latent_dim)
            The only source of randomness.
        q : object
            The encoder with its posterior, as functions.

        Returns
        -------
        z : ndarray of shape (n, latent_dim)
            In NumPy.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.priors import Normal
        >>> Normal().sample({}, np.array([[0.5, -1.0]]), None)
        array([[ 0.5, -1. ]])
        """

    def kl(self, w: dict, moments: tuple | None) -> Any:
        """KL(q || p) of each row and latent dimension in closed form.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init` or `fitted`.
        moments : tuple of two arrays of shape (rows, latent_dim), or None
            Mean and log-scale of q where it is a diagonal normal distribution, else None.

        Returns
        -------
        kl : array of shape (rows, latent_dim) or None
            In nats; None where there is no closed form, so that draws estimate it.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.priors import Mixture, Normal
        >>> moments = np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32)
        >>> np.array(Normal().kl({}, moments))
        array([[0.5, 0.5]], dtype=float32)
        >>> Mixture().kl({}, moments) is None
        True
        """
        return None

    def auxiliary_loss(self, w: dict, z: Any) -> Any:
        """What training adds to the loss of each draw: for your own priors.

        It may estimate a divergence of the codes `z` of a batch. A network that it needs for this
        is trained by a loss that has `z` behind a stopped gradient.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init`.
        z : array of shape (draws, rows, latent_dim)
            Codes of a batch.

        Returns
        -------
        loss : array of shape (draws, rows), or 0.0
            In nats, made by `keras.ops`.

        Examples
        --------
        >>> from skvae.priors import Normal
        >>> Normal().auxiliary_loss({}, None)
        0.0
        """
        return 0.0

    def width(self, latent_dim: int) -> int:
        """How many numbers `log_prob` holds at once for a point: blocks are so much smaller.

        Parameters
        ----------
        latent_dim : int
            Dimension of latent points.

        Returns
        -------
        n : int
            A count of numbers, not of bytes.

        Examples
        --------
        >>> from skvae.priors import Mixture, Normal
        >>> Normal().width(2), Mixture(n_components=50).width(2)
        (2, 100)
        """
        return latent_dim
