"""A Keras model that a function of the user's builds, as a stack."""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from math import prod
from threading import RLock
from typing import Any, Self
from uuid import uuid4

import numpy as np

from skvae._math import keras, ops
from skvae.model._stack import Mode

SEEDS = 2**24  # whole numbers below are exact in float32, in which all arrays are kept
# In JSON, behind the key that it belongs to unless that is "name", and before what tells a key
STRING = r'("(?!name")\w+": )?"((?:[^"\\]|\\.)*)"(:?)'
ROOMS = "layers", "models", "initializers", "regularizers", "constraints", "src.ops", "src.models"
NAMES = {"module", "class_name", "registered_name"}
LITERALS = "__keras_tensor__", "__tuple__", "__numpy__", "__ellipsis__"
# Layers that run what is not Keras' own, or read files.
FOREIGN = (
    "TextVectorization",
    "StringLookup",
    "IntegerLookup",
    "HashedCrossing",
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
)
LOCK = RLock()  # held while Python's generator is borrowed


@dataclass(frozen=True)
class FromConfiguration:
    """A function that builds layers of Keras again, by what they told of themselves."""

    told: str
    n_in: int
    n_out: int

    def __call__(self, n_inputs: int, n_outputs: int) -> "keras.layers.Layer":
        if (n_inputs, n_outputs) != (self.n_in, self.n_out):
            raise ValueError(
                f"These layers, known by their configuration, have {self.n_in} inputs and "
                f"{self.n_out} outputs, but {n_inputs} and {n_outputs} are asked for; give the "
                "function that builds them."
            )
        if not _is_of_keras(self.told):
            raise ValueError("A configuration of layers names others than Keras' own.")
        return keras.saving.deserialize_keras_object(json.loads(self.told), safe_mode=True)


@dataclass(frozen=True)
class KerasStack:
    """A Keras model that a function builds, with the state that its layers have besides weights.

    Arrays are float32, whatever the variables are: seeds are kept below 2 ** 24. State is what
    training does not change by gradients: moving averages, seeds, frozen weights.
    """

    build: Callable = field(compare=False)
    name: str = field(compare=False)  # of the parameter, for messages
    n_in: int
    n_out: int
    structure: str  # what the layers tell of themselves
    token: str = ""  # of its own where that is not all

    hidden = ()
    xla = False  # it makes convolutions six times slower, and Keras' own dropout twice

    @property
    def widest(self) -> int:
        return max(map(prod, _sizes(_model(self))))

    @property
    def cost(self) -> int:
        cost = 0
        for layer in _leaves(_model(self)):
            ends = [getattr(layer, end, None) for end in ("input", "output")]
            shapes = [getattr(end, "shape", ()) for end in ends]
            places = max(prod(n for n in shape[1:-1] if n is not None) for shape in shapes)
            cost += max(1, places * layer.count_params())  # its weights, at each of its places
        return cost

    def init(self, rng: np.random.Generator) -> dict:
        model = self.built(int(rng.integers(2**31)))
        state = [np.asarray(variable) for variable in model.non_trainable_variables]
        return {
            "trained": [np.asarray(variable, np.float32) for variable in model.trainable_variables],
            "state": [(a % SEEDS if a.dtype.kind in "iu" else a).astype(np.float32) for a in state],
        }

    def apply(self, arrays: dict, x: Any, mode: Mode, part: str) -> Any:
        state = [ops.stop_gradient(a) for a in arrays["state"]]
        outputs, state, penalties = _model(self).stateless_call(
            arrays["trained"],
            state,
            ops.convert_to_tensor(x),
            training=mode.training,
            return_losses=True,
        )
        mode.note(part, [ops.cast(a, "float32") for a in state], penalties)
        return ops.cast(outputs, "float32")

    def keras_model(self, arrays: dict) -> "keras.Model":
        model = self.built(0)
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        for variable, array in zip(variables, [*arrays["trained"], *arrays["state"]], strict=True):
            variable.assign(array)
        return model

    def by_configuration(self) -> Self:
        """The same without its function, if its layers are Keras' own; else itself."""
        *_, layers = _model(self).layers
        told = json.dumps(keras.saving.serialize_keras_object(layers))
        if self.token or not _is_of_keras(told):
            return self
        return replace(self, build=FromConfiguration(told, self.n_in, self.n_out))

    def built(self, seed: int) -> "keras.Model":
        """A model with weights of its own."""
        model = _built(self.build, self.name, self.n_in, self.n_out, seed)
        if _structure(model)[0] != self.structure:
            raise ValueError(
                f"{self.name}={self.build!r} builds other layers than it did in fit; make it "
                "build the same ones again, or fit again."
            )
        return model


def of_user(build: Callable, name: str, before: Any = None) -> Callable[[int, int], KerasStack]:
    """The function from numbers of inputs and outputs to what a user builds between them.

    It is the stack of an earlier fit where that was built by the same function.
    """

    def stack(n_in: int, n_out: int) -> KerasStack:
        if isinstance(build, keras.layers.Layer):
            raise TypeError(
                f"{name} is a Keras layer or model, but a function of (n_inputs, n_outputs) that "
                "builds one is expected, so that each fit starts with a new one."
            )
        model = _built(build, name, n_in, n_out, 0)
        structure, told = _structure(model)
        new = KerasStack(build, name, n_in, n_out, structure, "" if told else uuid4().hex)
        by_same = isinstance(before, KerasStack) and before.build is build
        if by_same and replace(before, token=new.token) == new:  # as far as its layers tell
            return before
        shared = _model(new)  # made here: the first program that needs it would be traced twice
        if not _computes(shared, model):
            new = replace(new, token=uuid4().hex)
            _model(new)
        first, second = ({id(v) for v in made.variables} for made in (model, new.built(0)))
        if first & second:
            raise TypeError(
                f"{name}={build!r} gives the same layers at each call, but new ones are expected."
            )
        return new

    return stack


@lru_cache(maxsize=8)
def _model(stack: KerasStack) -> "keras.Model":
    """A model whose layers are called with other arrays than its own."""
    return stack.built(0)


def _built(build: Callable, name: str, n_in: int, n_out: int, seed: int) -> "keras.Model":
    with _reproducible(seed), _explained(name, n_in, n_out):
        layers = build(n_in, n_out)
        if not isinstance(layers, keras.layers.Layer):
            raise TypeError(
                f"{name}={build!r} gave {layers!r}, but a Keras layer or model is expected."
            )
        inputs = keras.Input((n_in,), dtype="float32")
        outputs = layers(inputs)
    shape = getattr(outputs, "shape", outputs)
    if shape != (None, n_out):
        raise ValueError(
            f"{name}={build!r} gave a model with outputs of shape {shape} for {n_in} inputs, but "
            f"(None, {n_out}) is expected; end it with keras.layers.Dense(n_outputs), or with "
            "Flatten if the numbers agree."
        )
    return keras.Model(inputs, outputs)


@contextmanager
def _explained(name: str, n_in: int, n_out: int) -> Iterator[None]:
    """Errors get a note that tells what was asked of a user's function."""
    try:
        yield
    except Exception as error:
        error.add_note(
            f"This is {name}({n_in}, {n_out}): a function of (n_inputs, n_outputs) whose Keras "
            f"model takes rows of {n_in} numbers. An encoder has an input for each column under "
            "'gaussian' or 'bernoulli', two under 'warped_gaussian', as floats are by default, and "
            "one for each level or bin under 'categorical' or 'histogram'; and one more for each "
            "column where there are holes or hide > 0."
        )
        raise


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Keras seeds its layers from Python's generator, which is put back; and layers are float32."""
    with LOCK:
        before, policy = random.getstate(), keras.config.dtype_policy()
        random.seed(seed)
        keras.config.set_dtype_policy("float32")
        try:
            yield
        finally:
            random.setstate(before)
            keras.config.set_dtype_policy(policy)


def _computes(shared: "keras.Model", model: "keras.Model") -> bool:
    """Whether a model gives the same with another's arrays: it may hold constants of its own."""
    rows = np.linspace(-2, 2, 3 * model.input_shape[1], dtype=np.float32).reshape(3, -1)
    trained, state = model.trainable_variables, model.non_trainable_variables
    outputs, _ = shared.stateless_call(
        [*map(np.asarray, trained)], [*map(np.asarray, state)], rows, training=False
    )
    return np.array_equal(outputs, model(rows, training=False), equal_nan=True)


def _structure(model: "keras.Model") -> tuple[str, bool]:
    """What the layers of a model tell of themselves, and whether that is all.

    What is not Keras' own may change under its name, and some layers do not tell what they are.
    """
    try:
        told = model.to_json()
    except (NotImplementedError, TypeError):
        return str([variable.shape for variable in model.variables]), False
    modules = re.findall(r'"module": (?:"(\w+)|null)', told)
    return _renumbered(told), set(modules) <= {"keras"} and '"class_name": "Lambda"' not in told


def _is_of_keras(told: str) -> bool:
    """Whether a configuration names layers of Keras alone, and what these are made of."""
    left = [json.loads(told)]
    while left:
        part = left.pop()
        if isinstance(part, dict) and NAMES & part.keys() and not _is_part(part):
            return False
        if isinstance(part, dict | list):
            left += part.values() if isinstance(part, dict) else part
    return True


def _is_part(named: dict) -> bool:
    """Whether a name in a configuration is that of a class of Keras' own that layers consist of."""
    module, name = str(named.get("module")), named.get("class_name")
    if name in LITERALS and "module" not in named:
        return True
    own = tuple(f"keras.{room}." for room in ROOMS)
    if module != "keras" and not f"{module}.".startswith(own):
        return False
    if name in FOREIGN or named.get("registered_name", name) not in (None, name):
        return False
    parts = (
        keras.Operation,
        keras.initializers.Initializer,
        keras.regularizers.Regularizer,
        keras.constraints.Constraint,
        keras.DTypePolicy,
    )
    kind = getattr(import_module(module), str(name), None)
    return isinstance(kind, type) and issubclass(kind, parts)


def _renumbered(told: str) -> str:
    """A text in JSON whose names, such as "dense_7", and those in lists are numbered in turn."""
    names, seen = {}, Counter[str]()
    for key, string, is_key in re.findall(STRING, told):
        if string not in names and not key and not is_key:
            stem = re.sub(r"_\d+$", "", string)
            names[string] = f'"{stem}_{seen[stem]}"'
            seen[stem] += 1
    return re.sub(STRING, lambda match: match[0] if match[1] or match[3] else names[match[2]], told)


def _leaves(layer: Any) -> Iterator[Any]:
    """The layers in a layer that have none in them."""
    for inner in (layers := getattr(layer, "layers", [])):
        yield from _leaves(inner)
    if not layers:
        yield layer


def _sizes(layer: Any) -> list[list[int]]:
    """The axes but the first of what layers give, where Keras knows."""
    shapes = [getattr(getattr(inner, "output", None), "shape", ()) for inner in _leaves(layer)]
    return [[n for n in shape[1:] if n is not None] for shape in shapes]
