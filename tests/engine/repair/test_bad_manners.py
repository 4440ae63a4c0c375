"""Tests and sources with bad manners, each with one slip, in one project and one search: all of them are mended."""

import pytest

from engine.providers.repair.source import Source
from engine.workspace.encoding import decoded, encoded

# name: source, the text of its slip's right form, tests
MANNERS = {
    "files": (
        "def lines(path):\n    with open(path) as file:\n        return len(file.readlines()) - 1\n",
        ")\n",
        "from files import lines\n"
        "def test_here():\n    open('notes.txt', 'a').write('a\\n')\n    assert lines('notes.txt') >= 1\n"
        "def test_there(tmp_path):\n    (tmp_path / 'x').write_text('a\\nb\\n')\n"
        "    assert lines(tmp_path / 'x') == 2\n",
    ),
    "sockets": (
        "import socket\n\ndef reply(data):\n    one, two = socket.socketpair()\n    one.sendall(data.lower())\n"
        "    one.close()\n    return two.recv(99)\n",
        "data.upper()",
        "import socket\nfrom sockets import reply\n"
        "def test_reply():\n    with socket.create_server(('127.0.0.1', 0)):\n        assert reply(b'ab') == b'AB'\n",
    ),
    "threads": (
        "import threading\n\ndef total(rows):\n    found = []\n"
        "    parts = [threading.Thread(target=lambda row=row: found.append(min(row))) for row in rows]\n"
        "    for part in parts:\n        part.start()\n    for part in parts:\n        part.join()\n"
        "    return sum(found)\n",
        "max(row)",
        "from threads import total\ndef test_total(): assert total([[1, 5], [2, 7]]) == 12\n",
    ),
    "memory": (
        "def blank(n):\n    return [0] * (n + 2)\n",
        "n + 1",
        "import pytest\nfrom memory import blank\ndef test_small(): assert blank(3) == [0] * 4\n"
        "def test_more(): assert len(blank(70)) == 71\n",
    ),
    "chance": (
        "import random\n\ndef drawn(names):\n    return sorted(names)[random.randrange(len(names)) - 1]\n",
        "len(names))]",
        "import random\nfrom chance import drawn\n"
        "def test_drawn():\n    random.seed(4)\n    assert [drawn('abcdef') for _ in range(4)] == list('bcaf')\n",
    ),
    "turns": (
        "made = []\n\ndef take(n):\n    made.append(n)\n    return len(made) - 1\n",
        "len(made)\n",
        "from turns import take\ndef test_first(): assert take(7) == 1\ndef test_second(): assert take(7) == 2\n",
    ),
    "leaver": (
        "import sys\n\ndef quit_if(n):\n    if n <= 2:\n        sys.exit(n)\n    return n\n",
        "n < 2",
        "import pytest\nfrom leaver import quit_if\ndef test_stay(): assert quit_if(2) == 2\n"
        "def test_go():\n    with pytest.raises(SystemExit): quit_if(1)\n",
    ),
    "wrappers": (
        "import functools\n\ndef twice(function):\n    @functools.wraps(function)\n    def inner(n):\n"
        "        return function(n) - n\n    return inner\n\n@functools.lru_cache(maxsize=None)\n@twice\n"
        "def one(n):\n    return n\n",
        "function(n) + n",
        "from wrappers import one\ndef test_one(): assert one(3) == 6\ndef test_two(): assert one(5) == 10\n",
    ),
    "members": (
        "class Box:\n    size = 3\n\n    def __init__(self, n):\n        self.n = n\n\n    @property\n"
        "    def free(self):\n        return self.size + self.n\n\n    @classmethod\n    def full(cls):\n"
        "        return cls(cls.size)\n",
        "self.size - self.n",
        "from members import Box\ndef test_free(): assert Box(1).free == 2\n"
        "def test_full(): assert Box.full().free == 0\n",
    ),
    "later": (
        "import asyncio\n\nasync def one(n):\n    await asyncio.sleep(0)\n    return n\n\nasync def both(a, b):\n"
        "    return one(a), await one(b)\n",
        "await one(a)",
        "import asyncio\nfrom later import both\ndef test_both(): assert asyncio.run(both(1, 2)) == (1, 2)\n",
    ),
    "stream": (
        "def flat(rows):\n    for row in rows:\n        if isinstance(row, list):\n            flat(row)\n"
        "        else:\n            yield row\n",
        "yield from flat(row)",
        "from stream import flat\ndef test_flat(): assert list(flat([1, [2, [3]]])) == [1, 2, 3]\n",
    ),
    "spaces": (
        "\f\ndef sign(n):\n\tif n > 0:\n\t\treturn 1\n\f\n\treturn 1\n",
        "return -1\n",
        "from spaces import sign\ndef test_plus(): assert sign(2) == 1\ndef test_minus(): assert sign(-2) == -1\n",
    ),
    "western": (
        b'# -*- coding: latin-1 -*-\ndef open_at(day):\n    """Whether the caf\xe9 is open."""\n'
        b"    return day == 'f\xeate' and day > 'a'\n",
        "day != 'f\xeate' and day > 'a'",
        "from western import open_at\ndef test_a_feast(): assert not open_at('f\\xeate')\n"
        "def test_a_day(): assert open_at('monday')\ndef test_none(): assert not open_at('')\n",
    ),
}


def test_an_edit_keeps_to_the_encoding_its_file_declares():
    western, plain = Source("a.py", "# coding: latin-1\nx = 'é'\n"), Source("b.py", "x = 'é'\n")
    assert western.holds("'ü'")
    assert not western.holds("'ł'")
    assert plain.holds("'ł'")
    assert [encoded(source.text)[-4:] for source in (western, plain)] == [b"'\xe9'\n", b"\xc3\xa9'\n"]
    marked = b"\xef\xbb\xbfx = 1\n"
    assert encoded(decoded(marked)) == marked


@pytest.mark.slow
def test_slips_among_bad_manners(project):
    for name, (source, _, test) in MANNERS.items():
        project.file(f"{name}.py", source if isinstance(source, bytes) else source.encode()).file(
            f"tests/test_{name}.py", test
        )
    project.file("latin.py", "# é\nx = 'é'\n".encode("latin-1")).file("broken.py", "def f(:\n")
    done = project.pytest("-rA", "--tb=no")
    rows = [line.partition(" ")[::2] for line in done.stdout.splitlines()]
    red = [node.split(" - ")[0] for word, node in rows if word == "FAILED"]
    green = [node for word, node in rows if word == "PASSED"]
    assert {node.split("::")[0] for node in red} == {f"tests/test_{name}.py" for name in MANNERS}
    (project.root / "notes.txt").unlink()
    result = project.repair(red, green, budget_s=90.0)
    for name, (_, right, _) in MANNERS.items():
        assert right in result.files.get(f"{name}.py", ""), (name, result.note)
    assert result.files["spaces.py"].count("\f") == 2
    assert "latin.py: it is not utf-8" in result.note
    assert "broken.py" in result.note
