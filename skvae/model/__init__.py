"""The mathematics: a network, its weights, and what a fit leaves of both."""

from skvae.model._joint import Joint
from skvae.model._keras_stack import of_user
from skvae.model._model import Architecture, Model
from skvae.model._network import Network
from skvae.model._stack import Inference, Mode, dense
from skvae.model._weights import Layout, Nest, merged

__all__ = [
    "Architecture",
    "Inference",
    "Joint",
    "Layout",
    "Mode",
    "Model",
    "Nest",
    "Network",
    "dense",
    "merged",
    "of_user",
]
