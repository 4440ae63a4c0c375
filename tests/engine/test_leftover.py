"""What a diet may not bring back: names that the change stopped to read and took away."""

from __future__ import annotations

import pytest

from engine.workspace.leftover import Names, left_behind

BEFORE = "import re\nimport os.path as p\n\n\ndef f(t):\n    n = len(t)\n    return re.sub('a', p.sep, t) * n\n"
WHOLE = "def f(t):\n    return t\n"
CASES = {
    "nothing": (WHOLE, set()),
    "an import": (f"import re\n{WHOLE}", {("", "re")}),
    "an import by another name": (f"import os.path as p\n{WHOLE}", {("", "p")}),
    "a local name": ("def f(t):\n    n = len(t)\n    return t\n", {("f", "n")}),
    "an import that is read": ("import re\n\n\ndef f(t):\n    return re.sub('a', 'b', t)\n", set()),
    "a local name that an inner function reads": ("def f(t):\n    n = len(t)\n    return lambda: n\n", set()),
    "what was not there before": (f"import sys\n{WHOLE}", set()),
    "no program": ("import re\ndef f(:\n", set()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_read_and_is_read_no_more_is_left_behind(case: str) -> None:
    text, expected = CASES[case]
    names = [Names.of({"m.py": t}) for t in (BEFORE, WHOLE, text)]
    assert {(scope, name) for _, scope, name in left_behind(*names)} == expected


def test_what_was_unread_before_or_stays_in_the_change_is_no_matter_of_it() -> None:
    unread = {"m.py": "import re\nX = 1\n"}
    assert not left_behind(Names.of(unread), Names.of({"m.py": "X = 2\n"}), Names.of({"m.py": "import re\nX = 2\n"}))
    kept = {"m.py": "import re\nX = 2\n"}
    assert not left_behind(Names.of({"m.py": "import re\nX = re\n"}), Names.of(kept), Names.of(kept))


def test_what_a_package_imports_is_what_it_offers() -> None:
    files = [{"a/__init__.py": t} for t in ("import re\nX = re\n", "X = 1\n", "import re\nX = 1\n")]
    assert not left_behind(*map(Names.of, files))
