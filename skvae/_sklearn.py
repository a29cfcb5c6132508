"""What scikit-learn keeps to itself, and warnings that point at the user's own line."""

import sys
import warnings

FOREIGN = ("skvae", "sklearn", "joblib", "contextlib", "functools")  # whose lines a user did not write


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the first line outside of this package and of those that call it for the user."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in FOREIGN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
