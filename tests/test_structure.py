"""Short functions and short files, by the figures that benchmarks/structure.py prints."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def structure():
    path = ROOT / "benchmarks" / "structure.py"
    spec = importlib.util.spec_from_file_location("structure", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_functions_and_files_are_short(structure):
    table, _ = structure.figures(ROOT)
    assert int(table["tokens of a body, median"]) <= 40
    assert int(table["tokens of a body, p90"]) <= 120
    assert table["bodies of more than 300 tokens"] == 0
    assert table["functions of more than 7 parameters"] == 0
    assert int(table["largest file"].split()[0]) <= 400
    assert float(table["of all functions called once"].rstrip("%")) <= 23.0  # no splintering


def test_tokens_of_a_body_leave_out_docstrings_comments_and_signatures(structure):
    source = '''
def f(a, b):
    """Words."""
    # more words
    return a + b
'''
    tree = structure.ast.parse(source)
    places = structure.places_of_tokens(source, structure.docstring_lines(tree))
    assert structure.body_tokens(tree.body[0], places) == 4
