"""What the package asks for, and what it is tested with."""

import re
import tomllib
from pathlib import Path

from skvae import __version__

TESTS = Path(__file__).parent


def test_the_oldest_versions_tested_are_the_oldest_allowed():
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())["project"]
    lines = (TESTS / "oldest.txt").read_text().splitlines()
    oldest = {line.replace("==", ">=") for line in lines if not line.startswith("#")}
    needed = set(project["dependencies"])
    wanted_by_extras = set().union(*project["optional-dependencies"].values())
    assert needed <= oldest <= needed | wanted_by_extras


def test_how_to_cite_names_this_version_and_licence():
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())["project"]
    cited = (TESTS.parent / "CITATION.cff").read_text()
    told = dict(re.findall(r"^([\w-]+): (.+)$", cited, flags=re.MULTILINE))
    assert told["cff-version"] == "1.2.0"
    assert told["version"] == __version__
    assert told["license"] == project["license"]
    for keyword in project["keywords"]:
        assert f"\n  - {keyword}\n" in cited
