"""Pictures of models and tables, in the manner of scikit-learn's displays."""

from skvae.display._fidelity import FidelityDisplay
from skvae.display._latent_space import LatentSpaceDisplay
from skvae.display._loss_curve import LossCurveDisplay
from skvae.display._manifold import ManifoldDisplay
from skvae.display._network import NetworkDisplay
from skvae.display._outlier import OutlierDisplay
from skvae.display._reconstruction import ReconstructionDisplay
from skvae.display._traversal import TraversalDisplay

__all__ = [
    "FidelityDisplay",
    "LatentSpaceDisplay",
    "LossCurveDisplay",
    "ManifoldDisplay",
    "NetworkDisplay",
    "OutlierDisplay",
    "ReconstructionDisplay",
    "TraversalDisplay",
]
