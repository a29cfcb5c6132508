"""Posteriors: q(z | x), one class per file."""

from skvae.posteriors._base import Posterior
from skvae.posteriors._gaussian import Gaussian

__all__ = ["Gaussian", "Posterior"]
