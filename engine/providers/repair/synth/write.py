"""Turn a body into a candidate: where it goes, the import it needs, and a sentence about it. Pure."""

from __future__ import annotations

import ast

from engine.providers.repair.edits import Candidate
from engine.providers.repair.source import Source
from engine.providers.repair.synth.stubs import Stub
from engine.providers.repair.templates.base import brief

NUMPY = "import numpy as np"


def candidate(source: Source, stub: Stub, body: str, cost: float, behind: str, *, importing: bool = False) -> Candidate:
    """The function written.

    Parameters
    ----------
    behind : how many examples stand behind the body, in words.
    importing : the file has to import NumPy first.
    """
    text = stub.written(body, source.newline)
    said = brief(body.replace("\n", "; "))
    note = f"`{stub.name}` was written from {behind}: `{said}`"
    if not importing:
        return Candidate(
            source.path, stub.start, stub.end, text, stub.node.lineno, cost, "synthesis", note, False, stub.unit
        )
    at, line = _import_place(source)
    between = source.text[at : stub.start]
    whole = f"{line}{between}{text}"
    note = f"{note}, and `{NUMPY}` was added"
    return Candidate(source.path, at, stub.end, whole, stub.node.lineno, cost + 0.5, "synthesis", note, True, "")


def _import_place(source: Source) -> tuple[int, str]:
    """Where a new import goes, and its line."""
    body = source.tree.body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    if imports:
        line = imports[-1].end_lineno or imports[-1].lineno
        return source.line_span(line, line)[1], NUMPY + source.newline
    first = body[1] if len(body) > 1 and ast.get_docstring(source.tree) is not None else body[0]
    start = min([first.lineno, *(mark.lineno for mark in getattr(first, "decorator_list", ()))])
    return source.line_span(start, start)[0], NUMPY + source.newline * 3
