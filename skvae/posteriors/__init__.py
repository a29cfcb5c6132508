"""Posteriors: q(z | x), one class per file."""

from skvae.posteriors._base import Posterior
from skvae.posteriors._flow import Flow
from skvae.posteriors._full_gaussian import FullGaussian
from skvae.posteriors._gaussian import Gaussian

__all__ = ["Flow", "FullGaussian", "Gaussian", "Posterior"]
