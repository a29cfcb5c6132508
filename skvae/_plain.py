"""Values as JSON beside NumPy arrays, and back: nothing is imported or called by a name in them."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from inspect import isabstract
from math import prod
from reprlib import repr as short
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np

from skvae._component import Component

ROOMS = {
    *("likelihoods", "model", "objectives", "posteriors", "priors", "schedules", "table"),
    *("engine", "training"),  # of a fit that has not ended
}
SCALARS = bool, int, float, str, type(None)
DATES = {"date": date, "datetime": datetime}
LISTS = {"tuple": tuple, "list": list}
KINDS = "biufUM"  # of arrays
SMALL = 4096  # numbers: such arrays are many
NUMBERS = {  # what numbers of Python a type stands for in an annotation
    bool: bool | np.bool_,
    int: int | np.integer,
    float: float | np.floating | int | np.integer,
}


class Beside(NamedTuple):
    """What JSON has no room for: arrays, the small ones of a dtype in one; and foreign objects."""

    arrays: list
    small: dict  # by dtype
    objects: list  # of someone else's classes
    lengths: Counter  # of the small arrays of a dtype in all, as they are put or read
    checks: bool = True  # whether hyperparameters have to be valid

    def joined(self) -> dict:
        """The small arrays of each dtype as one."""
        return {dtype: np.concatenate(arrays) for dtype, arrays in self.small.items()}

    def put(self, array: np.ndarray) -> list:
        """An array's tree."""
        if array.size > SMALL:
            self.arrays.append(array)
            return ["array", len(self.arrays) - 1]
        dtype = array.dtype.str
        self.small.setdefault(dtype, []).append(array.ravel())
        self.lengths[dtype] += array.size
        return ["part", dtype, self.lengths[dtype] - array.size, list(array.shape)]


def tree_of(value: Any, beside: Beside) -> Any:
    """A value as JSON: scalars as they are, all else as a list that begins with its kind."""
    kind: Any = type(value)
    if kind in SCALARS:
        return value
    if kind in WRITERS:
        return WRITERS[kind](value, beside)
    if isinstance(value, np.number | np.bool_):
        return ["number", value.dtype.str, str(value)]
    if is_plain(kind):
        own = {name: tree_of(inner, beside) for name, inner in _values(value).items()}
        return [name_of(kind), own]
    return _put(value, beside)


def _tree_of_list(values: Any, beside: Beside) -> list:
    return [type(values).__name__, *(tree_of(value, beside) for value in values)]


def _tree_of_dict(values: dict, beside: Beside) -> list:
    return ["dict", *([tree_of(part, beside) for part in pair] for pair in values.items())]


def _tree_of_date(value: date, beside: Beside) -> list:
    return [type(value).__name__, value.isoformat()]


def _tree_of_array(array: np.ndarray, beside: Beside) -> list:
    if array.dtype.kind in KINDS:
        return beside.put(array)
    names = array.ndim == 1 and all(type(name) is str for name in array)
    return ["names", *array] if names else _put(array, beside)


def _put(value: Any, beside: Beside) -> list:
    beside.objects.append(value)
    return ["object", len(beside.objects) - 1, _path(value)]


def value_of(tree: Any, beside: Beside) -> Any:
    """The value of a tree, or a ValueError that says what is wrong with it."""
    if type(tree) in SCALARS:
        return tree
    kind, *parts = tree
    if kind in READERS:
        return READERS[kind](parts, beside)
    (own,) = parts
    instance = made(class_of(kind), {name: value_of(inner, beside) for name, inner in own.items()})
    if beside.checks and isinstance(instance, Component):
        instance._validate_params()
    return instance


def made(kind: type, values: dict) -> Any:
    """An instance of a plain class, if it may have these values."""
    types = types_of(kind)
    if values.keys() != types.keys():
        raise ValueError(f"has {sorted(values)} in a {kind.__name__}, not {sorted(types)}")
    for name, value in values.items():
        if not is_of(value, types[name]):
            raise ValueError(f"has {name}={short(value)} in a {kind.__name__}")
    return kind(**values)


def is_of(value: Any, kind: Any) -> bool:
    """Whether a value is what an annotation says."""
    if kind is Any:
        return True
    if get_origin(kind) in INSIDE:
        return INSIDE[get_origin(kind)](value, get_args(kind))
    if getattr(kind, "_is_protocol", False):
        own: Any = type(value)
        return is_plain(own)
    is_number = kind in NUMBERS and (kind is bool or not isinstance(value, bool))
    return isinstance(value, NUMBERS[kind] if is_number else kind)


def _is_one_of(value: Any, kinds: tuple) -> bool:
    return any(is_of(value, kind) for kind in kinds)


def _is_tuple_of(value: Any, kinds: tuple) -> bool:
    return isinstance(value, tuple) and _are_of(value, kinds)


def _is_dict_of(value: Any, kinds: tuple) -> bool:
    return isinstance(value, dict) and all(_are_of(pair, kinds) for pair in value.items())


INSIDE = {Union: _is_one_of, UnionType: _is_one_of, tuple: _is_tuple_of, dict: _is_dict_of}


def _are_of(values: tuple, kinds: tuple) -> bool:
    if kinds[1:] == (...,):
        kinds = kinds[:1] * len(values)
    return len(values) == len(kinds) and all(map(is_of, values, kinds))


def name_of(kind: type) -> str:
    """The room of a class and its name in it."""
    package, room, *_ = *kind.__module__.split("."), ""
    return f"{room}.{kind.__name__}" if package == "skvae" else ""


@lru_cache(maxsize=256)
def class_of(name: str) -> type:
    """The plain class of a name, or a ValueError."""
    files = [module for path, module in [*sys.modules.items()] if path.startswith("skvae.")]
    found = (getattr(file, str(name).split(".")[-1], None) for file in files)
    for kind in found:
        if isinstance(kind, type) and name_of(kind) == name and is_plain(kind):
            return kind
    raise ValueError(f"holds {short(name)}, which is unknown")


@lru_cache(maxsize=256)
def is_plain(kind: Any) -> bool:
    """Whether it is a class of the rooms of what is learned that holds values alone."""
    is_named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    is_plain = is_dataclass(kind) or is_named_tuple or issubclass(kind, Component)
    return is_plain and name_of(kind).split(".")[0] in ROOMS and not isabstract(kind)


@cache
def types_of(kind: Any) -> dict:
    """What values an instance of a plain class has, with their types."""
    if issubclass(kind, Component):
        return dict.fromkeys(kind._get_param_names(), Any)
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else kind._fields
    types = get_type_hints(kind)
    return {name: types[name] for name in names}


def _values(value: Any) -> dict:
    """The values of an instance of a plain class, without what it finds out on its way."""
    if isinstance(value, Component):
        return value.get_params(deep=False)
    own = value._asdict() if hasattr(value, "_asdict") else value.__getstate__()
    kind: Any = type(value)
    return {name: own[name] for name in types_of(kind)}


def _path(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _dict(parts: list, beside: Beside) -> dict:
    return {value_of(key, beside): value_of(value, beside) for key, value in parts}


def _number(parts: list, beside: Beside) -> Any:
    dtype, text = np.dtype(parts[0]), parts[1]
    if dtype.kind == "b":
        return np.bool_(text == "True")
    if dtype.kind not in "iuf":
        raise ValueError(f"has a number of dtype {short(dtype)}")
    return dtype.type(text)


def _names(parts: list, beside: Beside) -> np.ndarray:
    if not all(isinstance(name, str) for name in parts):
        raise ValueError("has names that are no text")
    return np.array([*parts, None], object)[:-1]


def _array(parts: list, beside: Beside) -> np.ndarray:
    (i,) = parts
    return beside.arrays[i]


def _part(parts: list, beside: Beside) -> np.ndarray:
    dtype, start, shape = parts
    beside.lengths[dtype] += prod(shape)
    if beside.lengths[dtype] > beside.small[dtype].size:
        raise ValueError("has more small arrays than it holds numbers for")
    array = beside.small[dtype][start : start + prod(shape)]
    return array.reshape(shape).copy()


def _object(parts: list, beside: Beside) -> Any:
    i, path = parts
    if _path(beside.objects[i]) != path:
        raise ValueError(f"has a {_path(beside.objects[i])} in the place of a {path}")
    return beside.objects[i]


def _list(kind: type) -> Callable:
    return lambda parts, beside: kind(value_of(part, beside) for part in parts)


def _date(kind: Any) -> Callable:
    return lambda parts, beside: kind.fromisoformat(*parts)


WRITERS: dict[type, Callable] = {
    dict: _tree_of_dict,
    np.ndarray: _tree_of_array,
    **dict.fromkeys(LISTS.values(), _tree_of_list),
    **dict.fromkeys(DATES.values(), _tree_of_date),
}
READERS = {
    "dict": _dict,
    "number": _number,
    "names": _names,
    "array": _array,
    "part": _part,
    "object": _object,
    **{name: _list(kind) for name, kind in LISTS.items()},
    **{name: _date(kind) for name, kind in DATES.items()},
}
