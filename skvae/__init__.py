"""Variational Auto-Encoders for scikit-learn."""

from skvae import callbacks, display, likelihoods, objectives, posteriors, priors, schedules
from skvae._blocks import Blocks
from skvae._compare import compare
from skvae._imputer import VAEImputer
from skvae._onnx import to_onnx
from skvae._outliers import VAEOutlierDetector
from skvae._persistence import trusted_types
from skvae._synthesizer import VAESynthesizer
from skvae._vae import VAETransformer
from skvae._version import __version__ as __version__
from skvae._versions import show_versions

__all__ = [
    "Blocks",
    "VAEImputer",
    "VAEOutlierDetector",
    "VAESynthesizer",
    "VAETransformer",
    "callbacks",
    "compare",
    "display",
    "likelihoods",
    "objectives",
    "posteriors",
    "priors",
    "schedules",
    "show_versions",
    "to_onnx",
    "trusted_types",
]
