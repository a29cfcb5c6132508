"""The direction of imports, and what must not be imported."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skvae

ROOT = Path(skvae.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Who may import whom inside the package; components are the rooms of pluggable parts.
COMPONENTS = {"likelihoods", "priors", "posteriors", "objectives"}
MAY_IMPORT = {
    "__init__": {"_estimator", "_imputer", "_outliers", *COMPONENTS},
    "_imputer": {"_estimator", "_sklearn"},
    "_outliers": {"_estimator", "_imputer", "_sklearn"},
    "schedules": {"_component", "_sklearn"},
    "_embedding": set(),
    "_estimator": {
        "_embedding",
        "table",
        "schedules",
        "_training",
        "inference",
        "_network",
        "_layers",
        "_optimizer",
        "_sklearn",
        "_component",
        *COMPONENTS,
    },
    "table": {"table", "_memory", "_sklearn", "likelihoods"},
    "_training": {"_network", "_layers", "_memory", "_optimizer", "_sklearn", "table"},
    "inference": {"inference", "_network", "_layers", "_memory", "table", "_math"},
    "_network": {"_layers", "_component", "_math", "_memory", "table"},
    "_layers": set(),
    "_memory": set(),
    "_sklearn": set(),
    "_optimizer": {"_math"},
    "_component": set(),
    "_math": set(),
    "_coupling": {"_math"},
    **{
        room: {room, "_component", "_math", "_coupling", "_sklearn"}
        for room in COMPONENTS - {"likelihoods"}
    },
    "likelihoods": {"likelihoods", "_component", "_math", "_sklearn"},
}
HEAVY = {
    "tensorflow": {"_training", "inference", "_memory", "_math"},
    "pandas": {"table"},
    "narwhals": {"table"},
    "polars": {"table"},
    "pyarrow": {"table"},
    "matplotlib": set(),
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


@pytest.mark.parametrize("package", HEAVY)
def test_heavy_packages_stay_in_their_rooms(package):
    users = {
        room_of(path)
        for path in FILES
        for name in imported_by(path)
        if name.split(".")[0] == package
    }
    assert users <= HEAVY[package]


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
slow = "tensorflow", "keras", "matplotlib", "sklearn.mixture"
print([name for name in slow if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_public_name_exists():
    for name in skvae.__all__:
        assert getattr(skvae, name) is not None
