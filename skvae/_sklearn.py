"""What scikit-learn keeps to itself, and warnings that point at the user's own line."""

import sys
import warnings
from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._set_output import _get_output_config

__all__ = ["HasMethods", "Interval", "StrOptions", "fit_context", "output_container", "warn"]

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
