"""The interface of q(z | x)."""

from abc import abstractmethod
from typing import Any

import numpy as np

from skvae._component import Component


class Posterior(Component):
    """Distribution of the latent point of a row, q(z | x).

    `raw` is what the encoder gives, `(rows, n_raw(latent_dim))`.

    Examples
    --------
    >>> import numpy as np
    >>> from keras import ops
    >>> from skvae.posteriors import Posterior
    >>> class Unit(Posterior):
    ...     def n_raw(self, latent_dim):
    ...         return latent_dim
    ...
    ...     def sample(self, w, raw, noise):
    ...         return raw + noise, self.log_prob(w, 0.0, noise)
    ...
    ...     def log_prob(self, w, raw, z):
    ...         return ops.sum(-0.5 * ((z - raw) ** 2 + np.log(2 * np.pi)), axis=-1)
    ...
    ...     def mean(self, w, raw):
    ...         return raw
    >>> z, log_q = Unit().sample({}, np.zeros((1, 2)), np.zeros((1, 1, 2)))
    >>> round(float(log_q[0, 0]), 3)
    -1.838
    """

    @abstractmethod
    def n_raw(self, latent_dim: int) -> int:
        """How many raw numbers the encoder has to give.

        Parameters
        ----------
        latent_dim : int
            Dimension of latent points.

        Returns
        -------
        n : int
            The width of `raw`.

        Examples
        --------
        >>> from skvae.posteriors import FullGaussian, Gaussian
        >>> Gaussian().n_raw(3), FullGaussian().n_raw(3)
        (6, 9)
        """

    def init(self, latent_dim: int, rng: np.random.Generator) -> dict:
        """Arrays of its own that it wants trained, at their first values.

        Parameters
        ----------
        latent_dim : int
            Dimension of latent points.
        rng : Generator
            The only source of randomness.

        Returns
        -------
        arrays : dict of {str: ndarray}
            In float32; they come back trained, as `w`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.posteriors import Gaussian
        >>> Gaussian().init(2, np.random.default_rng(0))
        {}
        """
        return {}

    @abstractmethod
    def sample(self, w: dict, raw: Any, noise: Any) -> tuple[Any, Any]:
        """Points and their log-density, from standard normal noise.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init`.
        raw : array of shape (rows, n_raw(latent_dim))
            What the encoder gives.
        noise : array of shape (draws, rows, latent_dim)
            The only source of randomness.

        Returns
        -------
        z : array of shape (draws, rows, latent_dim)
            Latent points, made by `keras.ops`, so that gradients pass.
        log_q : array of shape (draws, rows)
            Their log-density in nats.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.posteriors import Gaussian
        >>> raw, noise = np.zeros((4, 2), np.float32), np.ones((3, 4, 1), np.float32)
        >>> z, log_q = Gaussian().sample({}, raw, noise)
        >>> tuple(z.shape), tuple(log_q.shape)
        ((3, 4, 1), (3, 4))
        """

    @abstractmethod
    def log_prob(self, w: dict, raw: Any, z: Any) -> Any:
        """Log-density of points, in nats.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init`.
        raw : array of shape (..., n_raw(latent_dim))
            What the encoder gives; its leading axes broadcast with those of z.
        z : array of shape (..., latent_dim)
            Latent points.

        Returns
        -------
        log_q : array of shape (...)
            Made by `keras.ops`.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.posteriors import Gaussian
        >>> raw, z = np.zeros((1, 2), np.float32), np.array([[0.0], [2.0]], np.float32)
        >>> near, far = np.array(Gaussian().log_prob({}, raw, z))
        >>> bool(near > far)
        True
        """

    def moments(self, w: dict, raw: Any) -> tuple[Any, Any] | None:
        """Mean and log-scale of a diagonal normal distribution.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init`.
        raw : array of shape (rows, n_raw(latent_dim))
            What the encoder gives.

        Returns
        -------
        moments : tuple of two arrays of shape (rows, latent_dim), or None
            None for any other shape of q.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.posteriors import FullGaussian, Gaussian
        >>> raw = np.zeros((1, 2), np.float32)
        >>> [tuple(moment.shape) for moment in Gaussian().moments({}, raw)]
        [(1, 1), (1, 1)]
        >>> FullGaussian().moments({}, raw) is None
        True
        """
        return None

    @abstractmethod
    def mean(self, w: dict, raw: Any) -> Any:
        """The mean of q.

        Parameters
        ----------
        w : dict of {str: array}
            The arrays of `init`.
        raw : array of shape (rows, n_raw(latent_dim))
            What the encoder gives.

        Returns
        -------
        mean : array of shape (rows, latent_dim)
            What `transform` gives.

        Examples
        --------
        >>> import numpy as np
        >>> from skvae.posteriors import Gaussian
        >>> raw = np.array([[0.5, 0.0]], np.float32)
        >>> np.array(Gaussian().mean({}, raw))
        array([[0.5]], dtype=float32)
        """
