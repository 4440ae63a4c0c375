"""Render one chat template: a child of `chat`, with little memory and little time. JSON in, JSON out."""

from __future__ import annotations

import json
import resource
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

MOST_SECONDS, MOST_BYTES = 5, 2**29
MOST_TEXT = 2**23
"""Characters a template may write."""


WRONG = (
    TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError, RuntimeError, SyntaxError,
    OSError, ImportError,
)  # fmt: skip
"""What templates raise that the engine does not wrap; the last two where one asks for a file or a module."""


class Refused(Exception):
    """The template calls ``raise_exception``."""


def main() -> None:
    """Bound this process, then run what is not trusted."""
    given = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    import jinja2.debug  # noqa: F401  # an error loads it
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    now = datetime.now()
    environment.globals.update(raise_exception=_raise, strftime_now=lambda form: now.strftime(str(form)))
    environment.filters["tojson"] = _json
    environment.from_string("{{ 'x' }}").render()  # loads what the first template needs: no file can be opened below
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    said: dict[str, Any]
    try:
        said = {"text": _written(environment.from_string(given["template"]), given["messages"], given["tokens"])}
    except Refused as error:
        said = {"refused": str(error)[:1000]}
    except (MemoryError, RecursionError, OverflowError):
        said = {"error": "the template writes without end"}
    except (TemplateError, *WRONG) as error:
        said = {"error": f"the template fails: {type(error).__name__}: {error}"[:1000]}
    json.dump(said, sys.stdout)


def _written(template: Template, messages: list[dict[str, str]], tokens: dict[str, str]) -> str:
    pieces, size = [], 0
    for piece in template.generate(messages=messages, add_generation_prompt=True, tools=None, documents=None, **tokens):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_TEXT:
            raise MemoryError
    return "".join(pieces)


def _raise(message: object = "") -> None:
    raise Refused(str(message))


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)  # text for a model, not for a web page


if __name__ == "__main__":
    main()
