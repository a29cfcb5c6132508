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
KEYS = {"parameters", "began", "rows", "state", "stopped"}
SILENT = {"verbose"}  # parameters that change nothing
MOST_BETAS = 10_000  # that tell a schedule
# What reading a damaged file may raise.
WRONG: tuple = ArithmeticError, AttributeError, BadZipFile, EOFError, LookupError, MemoryError
WRONG += RecursionError, TypeError, ValueError


class Checkpoint:
    """Keeps a fit in a file while it runs, and goes on from there after a break.

    Where the file is there already, `fit` goes on from it, to the same bits as without a break on
    the same machine: with the same rows and parameters, even if `random_state` is None. A fit that
    had ended, or that a callback stopped, is read, not repeated. The file holds weights, the
    optimiser's arrays and the order of rows, and a SHA-256 of the rows, but none of them. It is
    written whole or not at all; where it cannot be, as on a full disk, a warning says so, and the
    fit goes on.

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

    def __init__(
        self, path: str | os.PathLike[str], every: float = 60, unit: str = "seconds"
    ) -> None:
        if unit not in ("seconds", "epochs"):
            raise ValueError(f"unit={unit!r}, but 'seconds' or 'epochs' is expected.")
        if not isinstance(every, int | float | Real) or isinstance(every, bool) or not every >= 0:
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
        if not self.path.parent.is_dir():
            raise ValueError(
                f"{settings} is to lie in a folder that is not there; make it, or give another."
            )
        self.told: dict = {"format": FORMAT, "skvae": __version__, "parameters": _parameters(vae)}
        self.found = self._read() if self.path.exists() else None
        if self.found is not None:
            rng.bit_generator.state = self.found["began"]
        self.told["began"] = rng.bit_generator.state
        self.last: Any = None  # the state of the last step, and the one that was written
        self.written: Any = None

    def resumed(self, plan: Plan) -> Plan:
        """The plan from where the file ends, or a ValueError if that is of another fit."""
        self.told["rows"] = _digest(plan)
        if self.found is None:
            return plan
        if self.found["rows"] != self.told["rows"]:
            raise self._other(
                "of another table, or of layers, an optimiser or a schedule in other settings, or "
                "of another number of workers, or goes on from another model by warm_start"
            )
        start = _with_schedule(self.found["state"], plan.start.pace.schedule)
        second = None if self.found["stopped"] and start.before is None else plan.second
        return plan._replace(start=start, second=second)

    def of(self, steps: "Steps") -> "Steps":
        """The same steps; some of them are written."""
        last = self._now()
        for task, self.last in steps:
            if self._now() - last >= self.settings.every:
                self._write(self.last)
                last = self._now()
            yield task, self.last

    def _now(self) -> float:
        """What has passed, in the unit that counts."""
        return monotonic() if self.settings.unit == "seconds" else _epochs(self.last)

    def end(self, stopped: bool) -> None:
        """Write the last state; as the end of training if a callback stopped it."""
        if stopped:
            self._write(_ended(self.last), stopped=True)
        elif self.last is not self.written:
            self._write(self.last)

    def _read(self) -> dict:
        """What the file holds, if it is of this fit as far as parameters tell."""
        try:
            told = _loaded(self.path)
            version = told["format"], told["skvae"]
            whole = told.keys() >= KEYS and isinstance(told["parameters"], dict)
        except (*WRONG, OSError) as error:
            raise self._other(f"damaged ({error})") from error
        if version != (FORMAT, __version__):
            raise self._other("of another version of skvae")
        if not whole:
            raise self._other("damaged (it lacks parts)")
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

    def _write(self, state: "TrainState", stopped: bool = False) -> None:
        """Put a state into the place of the file, whole; warn once where that cannot be."""
        self.written = state
        try:
            _replace(self.path, _arrays(self.told | {"stopped": stopped}, _plain(state)))
        except OSError as error:
            if self.warns:
                warn(f"Checkpoint could not write {str(self.path)!r} ({error}); the fit goes on.")
            self.warns = False


def _arrays(told: dict, state: "TrainState") -> list:
    """What is told as text, and a state, as arrays."""
    beside = Beside([], {}, [], Counter())
    told |= {"state": tree_of(state, beside), "n_small": len(beside.small)}
    text = np.frombuffer(json.dumps(told).encode(), np.uint8)
    return [text, *beside.arrays, *beside.joined().values()]


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


def _loaded(path: Path) -> dict:
    """What a file tells; its state only if it is of this version."""
    from skvae.training import TrainState

    with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
        text, *arrays = (file[f"arr_{i}"] for i in range(len(file.files)))
    told = json.loads(text.tobytes())
    if (told["format"], told["skvae"]) == (FORMAT, __version__):
        small = {a.dtype.str: a for a in arrays[len(arrays) - told["n_small"] :]}
        told["state"] = value_of(told["state"], Beside(arrays, small, [], Counter()))
        if not isinstance(told["state"], TrainState):
            raise ValueError("it holds no state of training")
    return told


def _epochs(state: "TrainState | None") -> int:
    """Epochs of all stages."""
    return state.epochs + _epochs(state.before) if state else 0


def _ended(state: "TrainState") -> "TrainState":
    """The state as the last one."""
    return state._replace(pace=state.pace._replace(end=state.part))


def _parameters(vae: Any) -> dict:
    """Parameters as text that tells them apart."""
    parameters = vae.get_params(deep=False).items()
    return {name: _text(value) for name, value in parameters if name not in SILENT}


def _text(value: Any) -> str:
    """A value as text; of an object of someone else's its name, or that of its class."""
    beside = Beside([], {}, [], Counter())
    tree = tree_of(value, beside)
    arrays = [array.tolist() for array in (*beside.arrays, *beside.joined().values())]
    names = [getattr(own, "__qualname__", type(own).__qualname__) for own in beside.objects]
    return " ".join(map(str, (tree, *arrays, *names)))


def _digest(plan: Plan) -> str:
    """The SHA-256 of all that a fit begins with: rows, model, and what its settings do."""
    from skvae.engine import name_of_optimizer

    model = plan.task.model
    stacks = model.network.encoder, model.network.decoder
    told = [getattr(stack, "structure", "") for stack in stacks]
    n_workers = plan.task.recipe.workers
    told += [name_of_optimizer(plan.task.recipe.optimizer)] + [n_workers] * (n_workers > 1)
    digest = sha256(json.dumps(told).encode())
    known, rows, judging = plan.data.rows
    rows = rows if n_workers == 1 else known  # those of a file are a share of all
    both = [x for x in (rows, judging) if x is not None]
    cells = (x.block(k).arrays() for x in both for k in range(len(x.heights)))
    pace = plan.start.pace
    betas = np.array([pace.beta(part) for part in range(min(pace.end, MOST_BETAS))])
    start = plan.data.offset, model.weights, model.constants, betas
    for array in chain(chain.from_iterable(cells), start):
        digest.update(np.ascontiguousarray(array).tobytes())
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
