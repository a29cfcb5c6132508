"""The mathematics: a network, its weights, and what a fit leaves of both."""

from skvae.model._chain import PARENTS, STATE, Chain, alone
from skvae.model._joint import Joint, numbered
from skvae.model._keras_stack import KerasStack, of_user
from skvae.model._model import Architecture, Model
from skvae.model._network import Network
from skvae.model._runs import Runs
from skvae.model._stack import DenseStack, Inference, Mode, dense
from skvae.model._weights import Layout, Nest, merged

__all__ = [
    "PARENTS",
    "STATE",
    "Architecture",
    "Chain",
    "DenseStack",
    "Inference",
    "Joint",
    "KerasStack",
    "Layout",
    "Mode",
    "Model",
    "Nest",
    "Network",
    "Runs",
    "alone",
    "dense",
    "merged",
    "numbered",
    "of_user",
]
