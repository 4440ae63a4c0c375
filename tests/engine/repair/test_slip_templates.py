"""Each law of slips on the smallest text that has the slip: the right text is among what is proposed."""

import ast

import pytest

from engine.providers.repair.source import Source
from engine.providers.repair.templates.calls import asked_for
from engine.providers.repair.view import View
from engine.providers.repair.words import Words


def body(*rows, head="def f(a, b):"):
    return "\n".join([head, *(f"    {row}" for row in rows)]) + "\n"


TARGETS = [
    (body("x = 0", "y = 1", "x += a", "return x + y"), "    x += a\n", "    y += a\n"),
    ("class C:\n    def f(self):\n        self.a = self.b\n", "self.a =", "self.b ="),
    (body("best = 0", "for x in a:", "    best = x", "return best"), "= x", "= max(best, x)"),
    (body("if a < b:", "    x = 1", "return x"), "x = 1", "x = 1\n        b = a"),
    (body("if g(a) > b[0]:", "    x = a", "return x"), "x = a", "x = a\n        b[0] = g(a)"),
    (body("a.strip()", "return a"), "    a.strip()", "    a = a.strip()"),
    (body("sorted(a)", "return a"), "sorted(a)", "a.sort()"),
    (body("b = a.sort()", "return b"), "a.sort()", "sorted(a)"),
    (body("return a.append(b)"), "    return a.append(b)", "    a.append(b)\n    return a"),
    (body("a += b", "return a"), "a += b", "a = a + b"),
    (body("a = b.reshape(2)"), "a =", "a[:] ="),
]
DISPLAYS = [
    (body("return (1, 2, 3)"), "(1, 2, 3)", "(1, 3)"),
    (body("return []"), "[]", "[[]]"),
    (body("return []"), "[]", "[a]"),
    (body("return a + b"), "a + b", "a + [b]"),
    (body("return max(a)"), "max(a)", "max(a[b:])"),
    (body("return sorted(a)"), "sorted(a)", "sorted(a)[1:]"),
    (body("return a[b[0]][b]"), "[b[0]][b]", "[b][b[0]]"),
    (body("return a[b]"), "a[b]", "a.get(b, 0)"),
    (body("return [[0] * a] * b"), "[[0] * a] * b", "[[0] * a for _ in range(b)]"),
    (body("return a[-1]"), "a[-1]", "sum(a)"),
]
LOOPS = [
    (body("for i in range(a):", "    pass"), "range(a)", "range(1, a + 1)"),
    (body("for i in range(a):", "    pass"), "range(a)", "range(a - 1, -1, -1)"),
    (body("for k, v in a:", "    pass"), "in a:", "in a.items():"),
    (body("for k, v in a:", "    pass"), "in a:", "in enumerate(a):"),
    (body("for x in a:", "    break"), "break", "continue"),
    (body("while True:", "    a.pop()"), "True", "a"),
    (body("while b:", "    a.pop()", "return a"), "a.pop()\n", "a.pop()\n        b -= 1\n"),
    (body("if b > a:", "    b -= a", "return b"), "if b", "while b"),
]
FORGOTTEN = [
    (
        body("seen = set()", "for x in a:", "    if x in seen:", "        return x"),
        "    if x in seen",
        "    seen.add(x)\n        if x in seen",
    ),
    (
        body("out = []", "while len(a) > b:", "    part, a = a[:b], a[b:]", "    out.append(part)", "return out"),
        "    return out",
        "    out.append(a)\n    return out",
    ),
    (
        body("for x in a:", "    if x == b:", "        yield n", "        n = 0", "b.close()"),
        "    b.close()",
        "    yield n\n    b.close()",
    ),
]
VERDICTS = [
    (body("if a:", "    return True", "return False"), "True\n    return False", "False\n    return True"),
    (body("n = a", "return True"), "True", "n == 0"),
    (body("if a:", "    return ' '", "return ' '"), "' '\n    return ' '", "''\n    return ''"),
    (body("return a[b] - b[a] + a"), "a[b] - b[a] + a", "b[a] - a[b] + b"),
]
CLASSICS = [
    (body("return a or b"), "a or b", "a if a is not None else b"),
    (body("if a:", "    return b"), "if a", "if a is not None"),
    (body("if not a:", "    return b"), "not a", "a is None"),
    (
        body("a.append(1)", "return a", head="def f(a=[]):"),
        "[]):\n    a.",
        "None):\n    if a is None:\n        a = []\n    a.",
    ),
    (
        "class C:\n    rows = []\n    def __init__(self, n):\n        self.n = n\n",
        "    rows = []\n    def __init__(self, n):\n",
        "    def __init__(self, n):\n        self.rows = []\n",
    ),
    (body("return [lambda x: x + i for i in a]"), "lambda x:", "lambda x, i=i:"),
    (body("try:", "    b()", "except KeyError:", "    pass"), "KeyError", "(KeyError, TypeError)"),
    (body("raise KeyError(a)"), "KeyError", "ValueError"),
    (body("return a()", head="async def f(a, b):"), "a()", "await a()"),
    (body("yield a", "return b"), "yield a", "yield from a"),
    (body("yield a", "f(b)"), "    f(b)", "    yield from f(b)"),
]
CONDITIONS = [
    (body("if a + 1 == b:", "    return a"), "a + 1 == b", "a + 1 == b or b + 1 == a"),
    (body("if a.x == b:", "    return a"), "a.x", "a is None or a.x"),
    (body("if a % 3 != 0 and b:", "    return a"), "a % 3 != 0 and b", "(a % 3 != 0 and b) and (a % 4 != 0 and b)"),
    (body("for x in a:", "    b.append(x)"), "b.append(x)", "if x > 0:\n            b.append(x)"),
    (body("if len(a) == 0:", "    return a"), "== 0", "<= 1"),
    (body("return a == b"), "a == b", "set(a) == set(b)"),
    (body("return a == b"), "a == b", "a.lower() == b.lower()"),
]
WORDS = [
    (body("return b == '('"), "'('", "'['"),
    (body("return b == 'a'"), "'a'", "a"),
    (body("return g(a, lenght=b)", head="def g(a, length): pass\ndef f(a, b):"), "lenght=b", "length=b"),
    (body("return g(a=a, b=b)"), "a=a, b=b", "a=b, b=a"),
    ("class C:\n    def f(self):\n        return self.n + n\n", "+ n", "+ self.n"),
    ("class C:\n    def f(self, n):\n        return self.n\n", "self.n\n", "n\n"),
    (body("return a + b[1]"), "a + b[1]", "b[1] + a"),
    (body("return a * 2 ** b"), "a * 2 ** b", "a * 2"),
    (body("return (a - 1) ** 2 * b"), "(a - 1) ** 2 * b", "(a - 1) ** b"),
    (body("return a[0](b)", "", head="def g(a, b): return b[1] + a\ndef f(a, b):"), "a[0](b)", "b[1] + a"),
    (body("return abs(b - a)"), "b - a", "b - a ** 2"),
    (body("return g(b)", head="def g(x, y): pass\ndef f(a, b):"), "g(b)", "g(a, b)"),
    (body("return g(b, a.c)", head="def g(x, y, z): pass\ndef f(a, b):"), "g(b, a.c)", "g(b, a.c, a.c)"),
    (body("return a.index(b)"), "index(b)", "index(a, b)"),
    (body("return b.x or g(a)"), "or g(a)", "or not g(a)"),
    (body("return [x for x in a if g(x)]"), "if g(x)", "if not g(x)"),
    (body("return a + '-' * b"), "'-' * b", "'-' * (b - 1)"),
    (body("return [0] * len(a)"), "len(a)", "(len(a) + 1)"),
    (body("return 1 + a(b)"), "1 + a(b)", "a(b)"),
    (body("return g(a[1:], b) + g(a, b - 1)"), "g(a[1:], b) +", "g(a[1:], b - 1) +"),
]
STATEMENTS = [
    (body("x = a", "x = b", "y = x", "return y"), "    x = b\n    y = x\n", ""),
    (body("while a:", "    a = a.next", "return b"), "a.next\n", "a.next\n        b = a\n"),
]
LAYOUTS = [
    ("return np.frombuffer(a, '<f4')", "'<f4'", "'>f4'"),
    ("return np.frombuffer(a, dtype=np.float32)", "np.float32", "'<f4'"),
    ("return int.from_bytes(a, 'little')", "'little'", "'big'"),
    ("return np.packbits(a)", "(a)", '(a, bitorder="little")'),
    ("return a.reshape(2, 3)", "(2, 3)", '(2, 3, order="F")'),
    ("return np.std(a)", "(a)", "(a, ddof=1)"),
    ("return np.pad(a, (0, a.size % b))", "a.size % b", "-a.size % b"),
    ("return (a & 15)", "a & 15", "((a & 15) ^ 8) - 8"),
    ("return (a & 3) * b", "(a & 3)", "((a & 3) - 1)"),
    ("return (a & 15) * b", "(a & 15)", "((a & 15) - 8)"),
    ("return a.reshape(b)", "reshape(b)", "reshape(b, -1)"),
    ("return np.reshape(b, b - a)", "b - a", "b - a, -1"),
    ("return a / b", "/ b", "/ np.sqrt(b)"),
    ("return np.packbits(a)", "(a)", "(a).view(np.uint8)"),
    ("return np.floor(a + 0.5)", "np.floor(a + 0.5)", "np.sign(a) * np.floor(np.abs(a) + 0.5)"),
    ("return a[::2] << b", "return a", "a = np.pad(a, (0, -len(a) % 2))\n    return a"),
    ("return a.reshape(b, -1)", "return a", "a = np.pad(a, ((0, 0), (0, -a.shape[1] % b)))\n    return a"),
    ("return np.tile(a, (1, b))", "tile(a, (1, b))", "repeat(a, b, axis=1)"),
    ("return np.tile(a, (b, 1))", "tile(a, (b, 1))", "repeat(a, b, axis=0)"),
    ("return np.tile(a, b)", "tile(a, b)", "repeat(a, b, axis=-1)"),
    ("return np.repeat(a, b, axis=0)", "repeat(a, b, axis=0)", "tile(a, (b, 1))"),
    ("return np.cumsum(a)", "np.cumsum(a)", "np.concatenate([[0], np.cumsum(a)])"),
    ("return np.cumsum(a)", "np.cumsum(a)", "np.concatenate([[0], np.cumsum(a)[:-1]])"),
    ("return np.cumsum(a)", "np.cumsum(a)", "np.cumsum(a) - a"),
    ("return a", "return a", "return a / a.sum(axis=-1, keepdims=True)"),
    ("return a >> b", "a >> b", "(a + (1 << (b - 1))) >> b"),
    ("return a >> 16", "a >> 16", "(a + 0x8000) >> 16"),
    ("return a >> 16", "a >> 16", "(a + (0x8000 - 1) + ((a >> 16) & 1)) >> 16"),
    ("return b / 1e-8", "1e-8", "np.maximum(a, 1e-8)"),
    ("return np.abs(a).max()", "np.abs(a)", "np.abs(np.nan_to_num(a))"),
]
REACH = [
    (body("return clip(a, 0, 9) + b"), "clip(a, 0, 9) + b", "clip(a + b, 0, 9)"),
    (body("return b - a.wide()"), "b - a.wide()", "(b - a).wide()"),
    (body("return f(a - b, 1)"), "f(a - b, 1)", "f(a, 1) - b"),
    (body("return (a - b).wide()"), "(a - b).wide()", "a.wide() - b"),
    (body("return (a[0] << 4) | a[1]"), "(a[0] << 4) | a[1]", "a[0] | (a[1] << 4)"),
    (body("return a + b * 2"), "a + b * 2", "(a * 2) + b"),
    (body("return (a - b).wide()"), "(a - b).wide()", "a - b.wide()"),
]
PLAIN = {
    "reach": REACH,
    "targets": TARGETS,
    "displays": DISPLAYS,
    "loops": LOOPS,
    "forgotten": FORGOTTEN,
    "verdicts": VERDICTS,
    "classics": CLASSICS,
    "conditions": CONDITIONS,
    "words": WORDS,
    "statements": STATEMENTS,
}


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [pytest.param(*row, id=f"{kind} {nth}") for kind, rows in PLAIN.items() for nth, row in enumerate(rows)],
)
def test_the_right_text_is_proposed(proposals, text, old, new):
    assert text.count(old) == 1
    assert text.replace(old, new) in proposals(text, first=text[: text.index(old)].count("\n") - 3)


@pytest.mark.parametrize(("row", "old", "new"), LAYOUTS)
def test_the_right_layout_is_proposed(proposals, row, old, new):
    text = f"import numpy as np\ndef f(a, b):\n    {row}\n"
    assert text.count(old) == 1
    assert text.replace(old, new) in proposals(text)


def test_a_word_is_spelled_as_the_tests_spell_it(proposals):
    text = body("return a in ('Jupyter', 'Mars')")
    assert text.replace("Jupyter", "Jupiter") in proposals(text, spelled=("Jupiter", "Venus"))
    assert not any("Venus" in new for new in proposals(text, spelled=("Jupiter", "Venus")))


def test_no_edit_answers_a_literal_of_a_test_with_another_one(proposals):
    text = body("if a > 2:", "    return b", "return a")
    for new in proposals(text, spelled=("quartz", "zebra")):
        assert "quartz" not in new
        assert "zebra" not in new


def test_what_a_method_is_of_may_go_over_several_lines(proposals):
    text = "def f(a, b, c):\n    x = (a\n         + b\n         + c).sum()\n    return x\n"
    assert text.replace("(a\n         + b\n         + c).sum()", "(a\n         + b).sum() + c") in proposals(text)


def test_a_refused_call_is_given_the_variable_at_hand_before_all_others():
    text = "def f(a, b, c, rows):\n    for old, new in rows:\n        a = a.replace(new)\n    return a\n"
    source = Source("mod.py", text)
    view = View(Words(source, raised=("TypeError",)), source.tree.body[0].body[0].body[0])
    assert next(asked_for(view)).text == "a.replace(old, new)"
    assert not list(asked_for(View(Words(source), view.statement)))


def test_the_text_inside_an_f_string_is_edited_at_its_place(proposals):
    text = body('return f"é {a - b:>{b}}"')
    assert text.replace("a - b", "a + b") in proposals(text)
    apart = body('return f"""', "    {a - b}", '    """')
    for new in proposals(apart):
        ast.parse(new)
