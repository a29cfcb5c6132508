"""Variational Auto-Encoders for scikit-learn."""

from skvae import likelihoods, objectives, posteriors, priors
from skvae._estimator import VAETransformer

__all__ = ["VAETransformer", "likelihoods", "objectives", "posteriors", "priors"]
__version__ = "0.1.0"
