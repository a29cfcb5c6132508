"""Equations as MathML, which browsers show by themselves: no script, no font, no network."""

from docutils import nodes
from latex2mathml.converter import convert


def visit_inline(writer, node):
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_block(writer, node):
    equation = convert(node.astext(), display="block")
    writer.body.append(f'<div class="equation">{equation}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
