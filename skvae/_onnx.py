"""The graph of ONNX of a model, which gives what it gives where there is no Python."""

from collections.abc import Callable
from dataclasses import fields, replace
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skvae._vae import VAETransformer
from skvae.table import EXACT, LARGEST, UNITS, Codec, Feature, Levels, Numbers, Times, listed

if TYPE_CHECKING:
    from onnx import ModelProto

    from skvae._traced import Traced

BETWEEN = "codec//network"  # what is handed from one graph to the other
HOLE = np.iinfo(np.int64).min  # of datetimes and durations, as in NumPy


def to_onnx(vae: VAETransformer, part: str = "transform") -> "ModelProto":
    """The graph of ONNX of `transform` or `inverse_transform`, for onnxruntime and its like.

    Parameters
    ----------
    vae : VAETransformer
        A fitted one.
    part : {"transform", "inverse_transform"}, default="transform"

    Returns
    -------
    model : onnx.ModelProto
        Of "transform" with an input for each column, by its name as text, (n_samples, 1), and the
        output "Z", (n_samples, latent_dim) in float32; of "inverse_transform" the other way round.
        Floats keep their dtype (float16 is float32), and so do integers and booleans where their
        dtype has no holes; where it has, and where all were holes, they are float64 with NaN. Text
        is text, empty in a hole; datetimes and durations are int64 in the unit that their column
        had in `fit`, and the smallest int64 in a hole. Numbers agree with `vae` to 1e-5 of a
        column's scale.

    Raises
    ------
    ImportError
        Without the extra: ``pip install '.[onnx]'``.
    ValueError
        If a likelihood is of your own, a column holds text and numbers together, empty text or
        text that ends in a NUL as labels, whole numbers that float64 has not, or datetimes with a
        time zone; or if layers of a network do what ONNX has no word for.

    References
    ----------
    ONNX (2019). Open Neural Network Exchange, https://onnx.ai.

    Examples
    --------
    >>> import numpy as np
    >>> from skvae import VAETransformer, to_onnx
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> vae = VAETransformer(1, random_state=0, max_iter=5).fit(X)
    >>> model = to_onnx(vae)  # to be saved, as with onnx.save(model, "transform.onnx")
    >>> [put.name for put in (*model.graph.input, *model.graph.output)]
    ['0', '1', 'Z']
    """
    _check(vae, part)
    features = vae._codec.features
    for feature in features:
        _check_feature(feature)
    names = [str(feature.name) for feature in features]
    if len({*names, ""}) <= len(names):
        raise ValueError(
            f"The columns {listed(vae._codec.names)} need names that differ as text and are not "
            "empty, since ONNX names its inputs so; rename them."
        )
    return PARTS[part](vae._codec, vae._model, names)


def _check(vae: Any, part: str) -> None:
    """Refuse what is no fitted model, and a part that there is not."""
    if not isinstance(vae, VAETransformer):
        raise TypeError(
            f"to_onnx takes a fitted VAETransformer, but got a {type(vae).__name__}; of what wraps "
            "one give its model, such as imputer.vae_."
        )
    check_is_fitted(vae)
    if part not in PARTS:
        raise ValueError(f"part={part!r}, but one of {sorted(PARTS)} is expected.")
    missing = [name for name in ("ndonnx", "tf2onnx") if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"to_onnx needs {' and '.join(missing)}, which are not installed: in the folder of "
            "skvae, pip install '.[onnx]'."
        )


def _check_feature(feature: Feature) -> None:
    """Refuse a column that ONNX cannot have."""
    name, kind = feature.name, feature.format
    foreign = [own for own in _components(feature.likelihood) if not _is_ours(own)]
    if foreign:
        raise ValueError(
            f"{foreign[0]!r} is the likelihood of column {name!r} and of your own: what its code "
            "does cannot be written as ONNX. Fit with one of skvae.likelihoods, or export the "
            "networks alone, as with vae.encoder_.export(path, format='onnx')."
        )
    if getattr(kind, "zone", None):
        raise ValueError(
            f"Column {name!r} holds datetimes in the zone {kind.zone}, which ONNX does not know; "
            "fit with datetimes without a zone, as with .dt.tz_convert(None)."
        )
    labels = (
        kind.levels if isinstance(kind, Levels) and np.dtype(kind.numpy).kind not in "mM" else ()
    )
    wrong = next((words for words, holds in LABELS.items() if holds(labels)), None)
    if wrong:
        raise ValueError(
            f"Column {name!r} holds {wrong}, which a column of ONNX cannot have; fit with other "
            "labels, as with .astype(str)."
        )


def _components(component: Any) -> list:
    """A component and those that it holds."""
    held = (one for one in vars(component).values() if hasattr(one, "log_prob"))
    return [component, *(own for one in held for own in _components(one))]


def _is_ours(component: Any) -> bool:
    return type(component).__module__.startswith("skvae.")


def _transform(codec: Codec, model: Any, names: list[str]) -> "ModelProto":
    import ndonnx as nx

    from skvae._traced import Traced
    from skvae.inference import encoder_graph

    given = [nx.argument(shape=("N", 1), dtype=_dtype(feature)) for feature in codec.features]
    columns = zip(codec.features, map(Traced, given), strict=True)
    cells = [_cells(feature, _numbers(feature, column)) for feature, column in columns]
    empty = [cells[0] * np.nan] * (model.network.width - len(cells))  # those of sums
    x: Any = np.concatenate([*(cells[j] for j in codec.order), *empty], axis=-1).astype(np.float32)
    before = nx.build({str(j): one for j, one in enumerate(given)}, {"x": x.array})
    before = _renamed(before, "codec/", names, [BETWEEN])
    return _merged(before, _renamed(encoder_graph(model), "network/", [BETWEEN], [_latent(names)]))


def _inverse_transform(codec: Codec, model: Any, names: list[str]) -> "ModelProto":
    import ndonnx as nx

    from skvae._traced import Traced, constants
    from skvae.inference import decoder_graph

    joint = model.network.likelihood
    raw = nx.argument(shape=("N", joint.n_raw()), dtype=nx.float32)
    cells = joint.point(constants(model.learned()["likelihood"]), Traced(raw)).astype(np.float64)
    columns = zip(codec.features, np.argsort(codec.order).tolist(), strict=True)
    found = [_restored(feature, cells[..., j : j + 1]).array for feature, j in columns]
    after = nx.build({"raw": raw}, {str(j): one for j, one in enumerate(found)})
    after = _renamed(after, "codec/", [BETWEEN], names)
    return _merged(_renamed(decoder_graph(model), "network/", [_latent(names)], [BETWEEN]), after)


def _latent(names: list[str]) -> str:
    """What latent points are called beside columns of these names."""
    return next(name for name in ("Z" + i * "_" for i in count()) if name not in names)


def _merged(first: "ModelProto", second: "ModelProto") -> "ModelProto":
    """One graph after the other."""
    from onnx import helper
    from onnx.compose import merge_models

    first.ir_version = second.ir_version = max(first.ir_version, second.ir_version)
    merged = merge_models(first, second, [(BETWEEN, BETWEEN)])
    versions = {one.domain: one.version for one in merged.opset_import}
    del merged.opset_import[:]
    merged.opset_import.extend(helper.make_opsetid(*one) for one in sorted(versions.items()))
    return merged


def _renamed(model: "ModelProto", prefix: str, given: list, found: list) -> "ModelProto":
    """The same with other names of inputs and outputs, and a prefix to all others."""
    from onnx.compose import add_prefix

    model = add_prefix(model, prefix)
    graph = model.graph
    puts = [*graph.input, *graph.output]
    names = {put.name: name for put, name in zip(puts, [*given, *found], strict=True)}
    for put in puts:
        put.name = names[put.name]
    for node in graph.node:
        for own in (node.input, node.output):
            own[:] = [names.get(name, name) for name in own]
    return model


def _dtype(feature: Feature) -> Any:
    """What an input or an output holds."""
    import ndonnx as nx

    there, library = np.dtype(feature.dtype.numpy), feature.dtype.library
    if _is_text(feature.format):
        return nx.utf8
    if there.kind in "mM":
        return nx.int64
    if there.kind == "f":
        return nx.float32 if there.itemsize <= 4 else nx.float64
    whole = library == "numpy" or (library == "pandas" and feature.dtype.name == str(there))
    return nx.from_numpy_dtype(there) if there.kind in "iub" and whole else nx.float64


def _is_text(kind: Any) -> bool:
    """Whether a format is one of text."""
    labels = isinstance(kind, Levels) and kind.numpy == "object"
    return labels and all(isinstance(level, str) for level in kind.levels)


def _numbers(feature: Feature, column: "Traced") -> Any:
    """Numbers of a column, NaN in a hole, -1 for a label that fit never saw."""
    return READ[type(feature.format)](feature.format, column)


def _of_numbers(kind: Numbers, column: "Traced") -> Any:
    return column.astype(np.float64)


def _of_times(kind: Times, column: "Traced") -> Any:
    """Days."""
    ticks, per_day = column - kind.origin * 1000 // UNITS[kind.unit], UNITS["D"] / UNITS[kind.unit]
    return np.where(column == HOLE, np.nan, ticks.astype(np.float64) / per_day)


def _of_levels(kind: Levels, column: "Traced") -> Any:
    """Codes."""
    from skvae._traced import Constant, mapped

    levels = np.array(kind.levels)
    if _is_text(kind):
        codes = {label: float(code) for code, label in enumerate(kind.levels)}
        return mapped(column, {"": np.nan} | codes, -1.0)
    if not kind.levels:
        return column.astype(np.float64) * np.nan
    order = np.argsort(levels)
    column = column if column.dtype.kind in "iu" else column.astype(np.float64)
    ordered = levels[order].astype(column.dtype).view(Constant)
    place = np.minimum(np.searchsorted(ordered, column), len(levels) - 1)
    code = np.where(ordered[place] == column, order.view(Constant)[place], -1).astype(np.float64)
    is_hole = column == HOLE if column.dtype == np.int64 else np.isnan(column)
    return np.where(is_hole, np.nan, code)


def _cells(feature: Feature, numbers: "Traced") -> Any:
    """Cells of numbers."""
    if not feature.varies:
        return numbers * (np.nan if feature.constant is None else 0.0)
    if feature.has_levels:
        return np.where(numbers >= 0, numbers, np.nan)
    if feature.placement is None:
        cells = ((numbers - feature.center) / feature.scale).clip(-LARGEST, LARGEST)
    else:
        cells = _traceable(feature.placement).encode(numbers)[0]
    return np.where(np.isnan(numbers), np.nan, cells)


def _traceable(placement: Any) -> Any:
    """The same with arrays that may be indexed by traced ones."""
    from skvae._traced import constants

    values = {field.name: getattr(placement, field.name) for field in fields(placement)}
    return replace(placement, **constants(values))


def _restored(feature: Feature, cells: "Traced") -> "Traced":
    """Points of a column as it holds them."""
    from skvae._traced import Constant

    numbers, zeros = feature.center + feature.scale * cells, cells * 0.0
    if feature.varies or feature.constant is not None:
        known = numbers if feature.varies else zeros + feature.constant
        return WRITE[type(feature.format)](feature, known)
    if _is_text(feature.format):
        return np.array([""]).view(Constant)[zeros.astype(np.int64)]
    if np.dtype(feature.dtype.numpy).kind in "mM":
        return zeros.astype(np.int64) + HOLE
    return zeros + np.nan


def _as_numbers(feature: Feature, numbers: Any) -> Any:
    kind = feature.format
    if kind.kind == "boolean":
        numbers = numbers >= 0.5
    elif kind.kind == "integer":
        numbers = np.rint(numbers).clip(kind.low, kind.high)
    elif kind.decimals is not None:
        numbers = np.round(numbers, kind.decimals)
    return _written(feature, numbers)


def _as_times(feature: Feature, numbers: "Traced") -> "Traced":
    kind, unit = feature.format, UNITS[feature.format.unit]
    origin = kind.origin * 1000 // unit
    ends = (float((end - origin) // kind.step) for end in (kind.low, kind.high))
    steps = np.rint(numbers * UNITS["D"] / (kind.step * unit)).clip(*ends)
    return (steps.astype(np.int64) * kind.step + origin).clip(kind.low, kind.high)


def _as_levels(feature: Feature, numbers: "Traced") -> "Traced":
    from skvae._traced import Constant

    levels = np.array(feature.format.levels).view(Constant)
    return _written(feature, levels[numbers])


def _written(feature: Feature, numbers: "Traced") -> "Traced":
    """In the dtype of an output."""
    from skvae._traced import Traced

    return Traced(numbers.array.astype(_dtype(feature)))


LABELS = {
    "text and numbers together": lambda labels: len({isinstance(one, str) for one in labels}) > 1,
    "labels that are empty text or end in a NUL": lambda labels: any(
        isinstance(one, str) and one[-1:] in ("", "\0") for one in labels
    ),
    "labels of 2**53 or more": lambda labels: any(
        isinstance(one, int) and abs(one) >= EXACT for one in labels
    ),
}
READ: dict[type, Callable] = {Numbers: _of_numbers, Times: _of_times, Levels: _of_levels}
WRITE: dict[type, Callable] = {Numbers: _as_numbers, Times: _as_times, Levels: _as_levels}
PARTS = {"transform": _transform, "inverse_transform": _inverse_transform}
