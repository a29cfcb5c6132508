"""How the package is built, in figures: files, lines, functions, tokens, parameters.

    python benchmarks/structure.py                          # of this checkout
    python benchmarks/structure.py path/to/another/checkout # beside those of another

Tokens are those of Python without comments, docstrings and line breaks. A function's are those of
its body, with the functions inside of it. A function is called once if its name stands once in the
package but for its definition and imports; methods do not count as private ones.
"""

import argparse
import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

import numpy as np

BLANK = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def docstring_lines(tree):
    """Numbers of the lines that docstrings take."""
    lines = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, FUNCTION | ast.ClassDef | ast.Module)
            and ast.get_docstring(node) is not None
        ):
            lines |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def places_of_tokens(source, docstrings):
    """The lines on which tokens begin."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return np.array(
        [t.start[0] for t in tokens if t.type not in BLANK and t.start[0] not in docstrings]
    )


def body_tokens(function, places):
    """How many tokens begin between a function's first statement and its end."""
    return int(((places >= function.body[0].lineno) & (places <= function.end_lineno)).sum())


def n_parameters(function):
    """How many parameters a function has, self and cls apart."""
    a = function.args
    names = [arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if arg]
    return len([name for name in names if name not in ("self", "cls")])


def names_used(tree):
    """Every name that is read, or asked of an object."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def own_functions(tree):
    """Names of private functions that are no methods."""
    for node in ast.walk(tree):
        inner = [] if isinstance(node, ast.ClassDef) else ast.iter_child_nodes(node)
        yield from (f.name for f in inner if isinstance(f, FUNCTION) and f.name.startswith("_"))


def figures(root):
    """The table of one checkout."""
    lines, bodies, parameters, widths, used, private = {}, {}, {}, [], Counter(), []
    names = []
    for path in sorted((root / "skvae").rglob("*.py")):
        source = path.read_text()
        tree, name = ast.parse(source), str(path.relative_to(root / "skvae"))
        docstrings = docstring_lines(tree)
        places = places_of_tokens(source, docstrings)
        lines[name] = len(source.splitlines()) - len(docstrings)
        widths += list(Counter(places.tolist()).values())
        used.update(names_used(tree))
        private += own_functions(tree)
        for function in (node for node in ast.walk(tree) if isinstance(node, FUNCTION)):
            place = f"{name}:{function.lineno} {function.name}"
            bodies[place] = body_tokens(function, places)
            if not function.name.startswith("__"):  # those the language calls
                names.append(function.name)
            if function.name != "__init__":
                parameters[place] = n_parameters(function)
    once, all_once = (
        sum(used[name] == 1 for name in some) / len(some) for some in (private, names)
    )
    longest, most, largest = (max(d, key=d.get) for d in (bodies, parameters, lines))
    return {
        "files": len(lines),
        "lines without docstrings": sum(lines.values()),
        "largest file": f"{lines[largest]} ({largest})",
        "tokens a line": f"{np.mean(widths):.1f}",
        "functions": len(bodies),
        "tokens of a body, median": f"{np.median(list(bodies.values())):.0f}",
        "tokens of a body, p90": f"{np.quantile(list(bodies.values()), 0.9):.0f}",
        "tokens of a body, largest": f"{bodies[longest]} ({longest})",
        "bodies of more than 300 tokens": sum(n > 300 for n in bodies.values()),
        "most parameters": f"{parameters[most]} ({most})",
        "functions of more than 7 parameters": sum(n > 7 for n in parameters.values()),
        "private functions": len(private),
        "of these called once": f"{once:.0%}",
        "of all functions called once": f"{all_once:.1%}",
    }, dict(sorted(bodies.items(), key=lambda item: -item[1]))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "others",
        nargs="*",
        type=Path,
        help="other checkouts, such as a worktree of an older commit",
    )
    parser.add_argument(
        "--longest", type=int, default=0, help="how many of the longest functions to print"
    )
    arguments = parser.parse_args()
    roots = [*arguments.others, Path(__file__).resolve().parents[1]]
    found = [figures(root) for root in roots]
    for name in found[0][0]:
        print(f"{name:38}" + "".join(f"{table[name]!s:44}" for table, _ in found))
    for name, n in list(found[-1][1].items())[: arguments.longest]:
        print(f"{n:5d}  {name}")


if __name__ == "__main__":
    main()
