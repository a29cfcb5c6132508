"""What scikit-learn keeps to itself, and warnings that point at the user's own line."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    F = TypeVar("F")

    def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[F], F]:
        """Validates parameters, and leaves a method's type as it is."""

else:
    from sklearn.base import _fit_context as fit_context

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]  # one of the two is there
        """No callbacks."""


try:
    from sklearn.utils._repr_html.estimator import _get_visual_block as visual_block
except ImportError:  # before scikit-learn 1.7
    from sklearn.utils._estimator_html_repr import _get_visual_block as visual_block

__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "callbacks_of",
    "check_is_fitted",
    "check_sample_weight",
    "fit_context",
    "generator",
    "output_container",
    "passing_callbacks",
    "safe_indexing",
    "visual_block",
    "warn",
]

FOREIGN = (
    "skvae",
    "sklearn",
    "joblib",
    "contextlib",
    "functools",
)  # whose lines a user did not write


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the first line outside of this package and those that call it for the user."""
    frame, level = sys._getframe(1), 2
    while (
        frame.f_back is not None
        and frame.f_globals.get("__name__", "").partition(".")[0] in FOREIGN
    ):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def output_container(estimator: Any) -> str:
    """What `set_output` has asked of transformers: "default", "pandas" or "polars"."""
    return _get_output_config("transform", estimator)["dense"]


def generator(random_state: Any) -> np.random.Generator:
    """Random numbers from the argument alone: the global generators are neither read nor moved."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31, size=4)
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"random_state={random_state!r}, but a whole number of at least 0, a RandomState, a "
            "Generator or None is expected."
        ) from error


def callbacks_of(estimator: Any) -> list:
    """The callbacks that an estimator was given."""
    return getattr(estimator, "_skl_callbacks", [])


@contextmanager
def passing_callbacks(owner: Any, model: Any, X: Any, y: Any) -> Iterator[None]:
    """The fit of a model in an estimator, whose callbacks the model is given for as long."""
    if not callbacks_of(owner):
        yield
        return
    shown = {"estimator": owner, "X": X, "y": y}
    whole = owner._init_callback_context(max_subtasks=1).call_on_fit_task_begin(**shown)
    task = whole.subcontext("fit-model").call_on_fit_task_begin(**shown)
    with task.propagate_callback_context(model):
        yield
    task.call_on_fit_task_end(**shown)
    whole.call_on_fit_task_end(**shown)
