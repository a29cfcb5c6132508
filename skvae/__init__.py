"""Variational Auto-Encoders for scikit-learn."""

from skvae import likelihoods, objectives, posteriors, priors
from skvae._estimator import VAETransformer
from skvae._imputer import VAEImputer
from skvae._outliers import VAEOutlierDetector

__all__ = [
    "VAEImputer",
    "VAEOutlierDetector",
    "VAETransformer",
    "likelihoods",
    "objectives",
    "posteriors",
    "priors",
]
__version__ = "0.1.0"
