"""Equations as MathML, which browsers show by themselves: no script, no font, no network."""

from docutils import nodes
from latex2mathml.converter import convert


def shown(latex: str, display: str) -> str:
    """The MathML of an equation; lines that end in two backslashes are aligned at each &."""
    if r"\\" in latex and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    return convert(latex, display=display)


def visit_inline(writer, node):
    writer.body.append(shown(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_block(writer, node):
    writer.body.append(f'<div class="equation">{shown(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
