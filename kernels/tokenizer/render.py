"""Render one chat template: a child of `chat`, with little memory and little time. JSON in, JSON out."""

from __future__ import annotations

import json
import resource
import sys
from datetime import datetime
from typing import Any

MOST_SECONDS, MOST_BYTES = 5, 2**29
MOST_TEXT = 2**25
"""Characters a template may write."""


class Refused(Exception):
    """The template calls ``raise_exception``."""


def _raise(message: object = "") -> None:
    raise Refused(str(message))


def main() -> None:
    """Bound this process, then run what is not trusted."""
    given = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    said: dict[str, Any]
    try:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(str(form))
        pieces, size = [], 0
        template = environment.from_string(given["template"])
        for piece in template.generate(messages=given["messages"], add_generation_prompt=True, **given["tokens"]):
            pieces.append(piece)
            size += len(piece)
            if size > MOST_TEXT:
                raise MemoryError
        said = {"text": "".join(pieces)}
    except Refused as error:
        said = {"refused": str(error)[:1000]}
    except (MemoryError, RecursionError, OverflowError):
        said = {"error": "the template writes without end"}
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        said = {"error": f"the template fails: {type(error).__name__}: {error}"[:1000]}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
