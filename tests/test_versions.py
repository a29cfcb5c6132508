"""What a report of a bug wants to know."""

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import sklearn
import tensorflow as tf

from skvae import __version__, show_versions
from skvae._versions import NEEDED, OPTIONAL

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def told(capsys):
    show_versions()
    return dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())


def test_versions_are_those_installed(capsys):
    shown = told(capsys)
    assert shown["skvae"] == __version__
    assert shown["scikit-learn"] == sklearn.__version__
    assert shown["keras"] == version("keras")
    assert shown["Python"].startswith(sys.version.split()[0])


def test_all_that_the_package_needs_or_may_use_is_named():
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    assert tuple(name.partition(">")[0] for name in project["dependencies"]) == NEEDED
    extras = {name for some in project["optional-dependencies"].values() for name in some}
    assert set(OPTIONAL) <= {name.partition(">")[0] for name in extras}
    assert "sdmetrics" in OPTIONAL  # by which tables are compared


def test_what_is_not_installed_is_said(capsys, monkeypatch):
    monkeypatch.setattr("skvae._versions.OPTIONAL", ("surely-no-package",))
    assert told(capsys)["surely-no-package"] == "not installed"


def test_devices_and_threads_are_those_of_tensorflow(capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    shown = told(capsys)
    assert shown["OMP_NUM_THREADS"] == "7"
    assert len(shown["TensorFlow's devices"].split(", ")) == len(tf.config.list_physical_devices())
    assert "CPU:0" in shown["TensorFlow's devices"]


def test_tensorflow_is_not_imported_for_it():
    code = "import sys, skvae; skvae.show_versions(); assert 'tensorflow' not in sys.modules"
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "TensorFlow's devices: not asked" in shown
