"""Variational Auto-Encoders for scikit-learn."""

from skvae import likelihoods, objectives, posteriors, priors, schedules
from skvae._imputer import VAEImputer
from skvae._outliers import VAEOutlierDetector
from skvae._synthesizer import VAESynthesizer
from skvae._vae import VAETransformer

__all__ = [
    "VAEImputer",
    "VAEOutlierDetector",
    "VAESynthesizer",
    "VAETransformer",
    "likelihoods",
    "objectives",
    "posteriors",
    "priors",
    "schedules",
]
__version__ = "0.1.0"
