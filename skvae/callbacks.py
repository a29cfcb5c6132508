"""Callbacks of fits, for `set_callbacks`, that scikit-learn does not have."""

import json
import os
from collections import Counter
from hashlib import sha256
from itertools import chain
from numbers import Real
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from skvae._plain import Beside, tree_of, value_of
from skvae._plan import Plan
from skvae._sklearn import warn
from skvae._version import __version__
from skvae.schedules import Constant, Schedule

if TYPE_CHECKING:
    from skvae._watching import Steps
    from skvae.training import TrainState

__all__ = ["Checkpoint"]

FORMAT = 1
SILENT = {"verbose"}  # parameters that change nothing
# What reading a damaged file may raise.
WRONG = ArithmeticError, AttributeError, BadZipFile, EOFError, LookupError, MemoryError, TypeError
WRONG += RecursionError, ValueError


class Checkpoint:
    """Keeps a fit in a file while it runs, and goes on from there after a break.

    Where the file is there already, `fit` goes on from it, to the same bits as without a break on
    the same machine: with the same rows and parameters, even if `random_state` is None. A fit that
    had ended is read, not repeated. The file holds weights, the optimiser's arrays and the order of
    rows, and a SHA-256 of the rows, but none of them. It is written whole or not at all; where it
    cannot be, as on a full disk, a warning says so, and the fit goes on.

    It belongs to the model: ``VAEImputer(VAETransformer().set_callbacks(Checkpoint(path)))``.
    Candidates of a search would share the file: leave it out there.

    Parameters
    ----------
    path : str or path
        Of the file.
    every : float, default=60
        How much of training lies between two writings, beyond which a break loses nothing.
    unit : {"seconds", "epochs"}, default="seconds"
        Of `every`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from sklearn.datasets import load_iris
    >>> from skvae import VAETransformer
    >>> from skvae.callbacks import Checkpoint
    >>> path = Path(mkdtemp()) / "iris.checkpoint"
    >>> vae = VAETransformer(max_iter=5, random_state=0).set_callbacks(Checkpoint(path))
    >>> vae.fit(load_iris().data).n_iter_
    5
    >>> path.exists()
    True
    """

    def __init__(self, path, every=60, unit="seconds"):
        if unit not in ("seconds", "epochs"):
            raise ValueError(f"unit={unit!r}, but 'seconds' or 'epochs' is expected.")
        if not isinstance(every, Real) or isinstance(every, bool) or not every >= 0:
            raise ValueError(f"every={every!r}, but a number of at least 0 is expected.")
        self.path, self.every, self.unit = os.fspath(path), every, unit

    def __repr__(self):
        return f"Checkpoint({self.path!r}, every={self.every!r}, unit={self.unit!r})"

    def setup(self, estimator, context):
        """Nothing: `fit` looks for the file itself."""

    def teardown(self, estimator, context):
        """Nothing: the file stays."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing."""

    def on_fit_task_end(self, estimator, context):
        """Nothing: states of training are kept within epochs too."""

    def of_fit(self, vae: Any, rng: np.random.Generator) -> "Keeper":
        """What keeps a fit that begins with these random numbers."""
        return Keeper(self, vae, rng)


class Keeper:
    """One fit and its file."""

    def __init__(self, settings: Checkpoint, vae: Any, rng: np.random.Generator):
        self.settings, self.path, self.warns = settings, Path(settings.path), True
        self.told = {"format": FORMAT, "skvae": __version__, "parameters": _parameters(vae)}
        self.found = self._read() if self.path.exists() else None
        if self.found is not None:
            rng.bit_generator.state = self.found["began"]
        self.told["began"] = rng.bit_generator.state

    def start(self, plan: Plan) -> "TrainState":
        """Where training goes on, or a ValueError if the file is of another fit."""
        self.told["rows"] = _digest(plan)
        if self.found is None:
            return plan.start
        if self.found["rows"] != self.told["rows"]:
            raise self._other("of another table, or goes on from another model by warm_start")
        return _with_schedule(self.found["state"], plan.start.pace.schedule)

    def of(self, steps: "Steps") -> "Steps":
        """The same steps; some of them are written, and the last one is."""
        state, last = None, monotonic() if self.settings.unit == "seconds" else 0
        try:
            for task, state in steps:
                now = monotonic() if self.settings.unit == "seconds" else _epochs(state)
                if now - last >= self.settings.every:
                    self._write(state)
                    last = now
                yield task, state
        finally:
            if state is not None:
                self._write(state)

    def _read(self) -> dict:
        """What the file holds, if it is of this fit as far as parameters tell."""
        from skvae import training  # whose classes are in it

        try:
            with open(self.path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                text, *arrays = (file[f"arr_{i}"] for i in range(len(file.files)))
            told = json.loads(text.tobytes())
            small = {a.dtype.str: a for a in arrays[len(arrays) - told["n_small"] :]}
            told["state"] = value_of(told["state"], Beside(arrays, small, []))
            fits = isinstance(told["state"], training.TrainState)
        except (*WRONG, OSError) as error:
            raise self._other(f"damaged ({error})") from error
        if not fits or (told["format"], told["skvae"]) != (FORMAT, __version__):
            raise self._other("of another version of skvae")
        self._check_parameters(told["parameters"])
        return told

    def _check_parameters(self, found: dict) -> None:
        """Raise a ValueError that names parameters of the file that differ."""
        now = self.told["parameters"]
        differ = [name for name in {**now, **found} if now.get(name) != found.get(name)]
        if differ:
            each = (f"{name} was {found.get(name)} and is {now.get(name)}" for name in differ)
            raise self._other(f"of other parameters ({', '.join(each)})")

    def _other(self, what: str) -> ValueError:
        return ValueError(
            f"The fit in {str(self.path)!r} is {what}; give the same again, or delete the file, or "
            "give Checkpoint another path."
        )

    def _write(self, state: "TrainState") -> None:
        """Put a state into the place of the file, whole; warn once where that cannot be."""
        beside = Beside([], {}, [], Counter())
        told = self.told | {"state": tree_of(_plain(state), beside), "n_small": len(beside.small)}
        text = np.frombuffer(json.dumps(told).encode(), np.uint8)
        try:
            _replace(self.path, [text, *beside.arrays, *beside.joined().values()])
        except OSError as error:
            if self.warns:
                warn(f"Checkpoint could not write {str(self.path)!r} ({error}); the fit goes on.")
            self.warns = False


def _replace(path: Path, arrays: list) -> None:
    """Write arrays to a file that takes the place of another one once it is on the disk."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            np.savez(file, *arrays)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _epochs(state: "TrainState") -> int:
    return state.epochs + (state.before.epochs if state.before else 0)


def _parameters(vae: Any) -> dict:
    """Parameters as text that tells them apart."""
    parameters = vae.get_params(deep=False)
    texts = {name: _text(parameters[name]) for name in parameters.keys() - SILENT}
    return dict(sorted(texts.items()))


def _text(value: Any) -> str:
    """A value as text; of an object of someone else's its name, or that of its class."""
    beside = Beside([], {}, [], Counter())
    tree = tree_of(value, beside)
    arrays = [array.tolist() for array in (*beside.arrays, *beside.joined().values())]
    names = [getattr(own, "__qualname__", type(own).__qualname__) for own in beside.objects]
    return " ".join(map(str, (tree, *arrays, *names)))


def _digest(plan: Plan) -> str:
    """The SHA-256 of the rows and the model from which a fit begins."""
    data, model = plan.data, plan.task.model
    cells = [cells.arrays() for cells in data.rows if cells is not None]
    digest = sha256()
    for array in (*chain(*cells), data.offset, model.weights, model.constants):
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"0")
    return digest.hexdigest()


def _plain(state: "TrainState") -> "TrainState":
    """A state in NumPy, without a schedule, which may be someone else's."""
    watch, before = state.watch, state.before
    return state._replace(
        state=_on_host(state.state),
        watch=watch if watch.best is None else watch._replace(best=_on_host(watch.best)),
        pace=state.pace._replace(schedule=Constant()),
        before=before and _plain(before),
    )


def _on_host(state: Any) -> Any:
    return state._replace(
        weights=np.asarray(state.weights), slots=tuple(map(np.asarray, state.slots))
    )


def _with_schedule(state: "TrainState", schedule: Schedule) -> "TrainState":
    """A state with the schedule of the first stage."""
    if state.before:
        return state._replace(before=_with_schedule(state.before, schedule))
    return state._replace(pace=state.pace._replace(schedule=schedule))
