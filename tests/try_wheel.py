"""Build the wheel and the source distribution, install the wheel beside nothing else, and try it.

python tests/try_wheel.py          # with the dependencies of the Python that runs it
python tests/try_wheel.py --clean  # with new ones
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md", "tests"}
SHIPPED |= {"benchmarks", "docs", "examples", "skvae"}  # by the source distribution
TRY = """
from importlib.resources import files
from pathlib import Path
from sklearn.datasets import load_iris
import skvae

assert Path(skvae.__file__).is_relative_to({environment!r}), skvae.__file__
assert files("skvae").joinpath("py.typed").is_file()
X = load_iris(as_frame=True).data
vae = skvae.VAETransformer(max_iter=3, random_state=0).fit(X)
assert vae.transform(X).shape == (150, 2)
assert list(vae.sample(5).columns) == list(X.columns)
print("The wheel works.")
"""


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a command, which must succeed."""
    told = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([*map(str, command)], check=True, cwd=cwd, env=told)


def check_names(wheel: Path, source: Path) -> None:
    """What each of the two holds."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"skvae"}
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("skvae/**/*.py")}
    assert modules | {"skvae/py.typed"} == {n for n in names if n.startswith("skvae/")}
    with tarfile.open(source) as opened:
        inside = {name.split("/")[1] for name in opened.getnames() if "/" in name}
    assert inside >= SHIPPED, SHIPPED - inside


def installed(wheel: Path, environment: Path, *, clean: bool) -> Path:
    """The Python of a new environment that has the wheel."""
    run(sys.executable, "-m", "venv", *([] if clean else ["--without-pip"]), environment)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [sys.executable, "-I", "-m", "pip", "--python", python, "install", "-q"]
    run(*pip, *([] if clean else ["--no-deps"]), wheel)
    if not clean:  # a file of paths: what is installed there as editable is not seen
        (site,) = (path.parent for path in environment.glob("**/skvae"))
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clean", action="store_true", help="install dependencies anew")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(sys.executable, "-m", "build", "-q", "--outdir", folder / "dist", ROOT)
        (wheel,), (source,) = (folder.glob(f"dist/{end}") for end in ("*.whl", "*.tar.gz"))
        check_names(wheel, source)
        python = installed(wheel, folder / "environment", clean=arguments.clean)
        run(python, "-I", "-W", "ignore", "-c", TRY.format(environment=str(folder)), cwd=folder)


if __name__ == "__main__":
    main()
