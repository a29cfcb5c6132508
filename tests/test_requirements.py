"""What the package asks for, and what it is tested with."""

import tomllib
from pathlib import Path

TESTS = Path(__file__).parent


def test_the_oldest_versions_tested_are_the_oldest_allowed():
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())["project"]
    lines = (TESTS / "oldest.txt").read_text().splitlines()
    oldest = {line.replace("==", ">=") for line in lines if not line.startswith("#")}
    needed = set(project["dependencies"])
    assert needed <= oldest <= needed | set(project["optional-dependencies"]["test"])
