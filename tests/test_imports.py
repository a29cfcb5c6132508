"""The direction of imports, and what must not be imported."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import skvae

ROOT = Path(skvae.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Who may import whom inside the package. No arrow runs back:
#     _vae -> _fitting -> _watching -> _plan -> { table, training, inference } -> engine -> model
#     -> components -> BASE
COMPONENTS = {"likelihoods", "priors", "posteriors", "objectives", "schedules"}
BASE = {"_component", "_math", "_memory", "_quiet", "_shares", "_sklearn", "_version"}
WORKERS = {"table", "training", "inference"}
MAY_IMPORT = {
    "__init__": {
        "_blocks",
        "callbacks",
        "_compare",
        "display",
        "_vae",
        "_imputer",
        "_onnx",
        "_outliers",
        "_synthesizer",
        "_persistence",
        "_version",
        "_versions",
        *COMPONENTS,
    },
    "_compare": {"_compare_tables", "_compare_figures", "_compare_rules", "_compare_page"},
    "_compare_page": {"_compare_rules", "_compare_tables", "display"},
    "_compare_figures": {"_compare_tables"},
    "_compare_rules": {"_compare_tables", "display"},
    "_compare_tables": {"display"},
    "callbacks": {"_watching", "_plan", "_plain", "training", "engine", *COMPONENTS, *BASE},
    "_around": {"_vae", *BASE},
    "_versions": {"engine", "_version"},
    "_synthesizer": {
        "_around",
        "_imputer",
        "_vae",
        "_plan",
        "_persistence",
        "table",
        *COMPONENTS,
        *BASE,
    },
    "_explain": {"table", "inference", "model"},
    "_outliers": {"_around", "_blocks", "_explain", "_imputer", "_vae", "_persistence", *BASE},
    "display": {"display"},  # public methods of estimators alone
    "_onnx": {"_traced", "_vae", "table", "inference", *BASE},
    "_traced": set(),
    "_imputer": {"_around", "_blocks", "_vae", "_persistence", *BASE},
    "_blocks": {"table", *BASE},
    "_streamed": {"_blocks", "_plan", "engine", "table"},
    "_vae": {
        "_blocks",
        "_explain",
        "_fitting",
        "_plan",
        "_persistence",
        *WORKERS,
        "engine",
        "model",
        *COMPONENTS,
        *BASE,
    },
    "_persistence": {"_fits", "_plain", "model", *COMPONENTS, *BASE},
    "_fits": {"_plain", "table", "model", *COMPONENTS, *BASE},
    "_plain": BASE,
    "_fitting": {
        "_blocks",
        "_watching",
        "_pieces",
        "_plan",
        "_streamed",
        *WORKERS,
        "engine",
        "model",
        *COMPONENTS,
        *BASE,
    },
    "_pieces": {"_plan", "table", "training", "engine", *COMPONENTS, *BASE},
    "_watching": {"_plan", "training", *BASE},
    "_plan": {*WORKERS, "engine", "model", *COMPONENTS, *BASE},
    "training": {"training", "table", "engine", "model", *COMPONENTS, *BASE},
    "inference": {"inference", "table", "engine", "model", *COMPONENTS, *BASE},
    "table": {"table", "likelihoods", "_memory", "_shares", "_sklearn", "_version"},
    "engine": {"engine", "model", *BASE},
    "model": {"model", *COMPONENTS, *BASE},
    **{room: {room, "_coupling", *BASE} for room in COMPONENTS},
    "_coupling": {"_math"},
    **{name: set() for name in BASE},
    "_math": {"_quiet"},
    "_quiet": {"_memory"},
}
HEAVY = {
    "tensorflow": {"engine"},
    "keras": {"engine", "_math"},
    "pandas": {
        "table",
        "display",
        "_compare_tables",
        "_compare_figures",
        "_compare_rules",
        "_compare_page",
    },
    "narwhals": {"table", "display", "_compare_tables"},
    "polars": {"table"},
    "pyarrow": {"table"},
    "matplotlib": {"display", "_compare_page"},
    "sdmetrics": {"_compare_figures"},
}


def room_of(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_by(path):
    """Dotted names of everything that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_the_rooms_it_may(path):
    rooms = {name.split(".")[1] for name in imported_by(path) if name.startswith("skvae.")}
    assert rooms <= MAY_IMPORT[room_of(path)]


def test_the_table_knows_of_likelihoods_their_interface_alone():
    files = (path for path in FILES if room_of(path) == "table")
    names = {name for path in files for name in imported_by(path)}
    assert {name.rpartition(".")[0] for name in names if name.startswith("skvae.likelihoods")} == {
        "skvae.likelihoods._base"
    }


def test_no_two_rooms_import_each_other():
    arrows = {
        (room_of(path), name.split(".")[1])
        for path in FILES
        for name in imported_by(path)
        if name.startswith("skvae.")
    }
    assert not [(a, b) for a, b in arrows if a != b and (b, a) in arrows]


def files_imported_by(path):
    """The files of the package that a file imports when it is imported itself."""
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skvae."):
            yield from {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}


def test_no_file_imports_itself_by_way_of_others():
    names = {
        ".".join(("skvae", *path.relative_to(ROOT).with_suffix("").parts)): path for path in FILES
    }
    graph = {
        name: [*files_imported_by(path)] for name, path in names.items() if path.stem != "__init__"
    }
    sorter = graphlib.TopologicalSorter(
        {name: {other for other in others if other in graph} for name, others in graph.items()}
    )
    sorter.prepare()  # raises a CycleError


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_stay_in_their_rooms(package):
    users = {
        room_of(path)
        for path in FILES
        for name in imported_by(path)
        if name.split(".")[0] == package
    }
    assert users <= HEAVY[package]


def test_one_file_imports_tensorflow_which_is_quiet_there():
    users = [path.name for path in FILES if "tensorflow" in imported_by(path)]
    assert users == ["_tensorflow.py"]


def test_private_names_of_scikit_learn_are_imported_in_one_file():
    private = {
        path.name
        for path in FILES
        for name in imported_by(path)
        if name.startswith("sklearn.") and any(part.startswith("_") for part in name.split("."))
    }
    assert private == {"_sklearn.py"}


def test_nothing_before_fit_imports_what_takes_long():
    code = """
import sys, skvae
from sklearn.base import clone
vae = skvae.VAETransformer(likelihood="poisson")
for estimator in (vae, skvae.likelihoods.Gaussian(), skvae.priors.Normal()):
    repr(clone(estimator)), estimator._repr_html_(), hash(type(estimator))
estimator = skvae.VAETransformer()
estimator.set_params(latent_dim=3).__sklearn_tags__()
try:
    estimator.fit([["a"]])
except ValueError:
    pass
slow = "tensorflow", "keras", "matplotlib", "sdmetrics", "sklearn.mixture"
skvae.show_versions()
print([name for name in slow if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_every_public_name_exists():
    for name in skvae.__all__:
        assert getattr(skvae, name) is not None
