"""Edits of calls: a sibling function, arguments exchanged, left out or added, a call around or taken off."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.providers.repair.templates.base import Swap, Template, brief, replaced
from engine.providers.repair.view import View

_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("min", "max", "sum"),
    ("any", "all"),
    ("int", "round", "float", "bool", "str"),
    ("sorted", "reversed", "list", "tuple", "set"),
    ("floor", "ceil", "trunc", "rint", "round"),
    ("append", "extend", "add", "insert", "remove", "discard"),
    ("lower", "upper", "title", "capitalize", "casefold"),
    ("strip", "lstrip", "rstrip"),
    ("startswith", "endswith"),
    ("find", "rfind", "index"),
    ("split", "rsplit", "splitlines", "partition", "rpartition"),
    ("keys", "values", "items"),
    ("pop", "popleft", "get"),
    ("union", "intersection", "difference", "symmetric_difference"),
    ("isdigit", "isalpha", "isalnum", "isupper", "islower", "isspace"),
    ("removeprefix", "removesuffix"),
    ("sqrt", "exp", "log", "log2", "square", "abs"),
    ("sin", "cos", "tan"),
    ("match", "search", "fullmatch"),
    ("isinstance", "issubclass"),
    ("zip", "zip_longest", "product"),
    ("combinations", "permutations", "combinations_with_replacement", "product"),
    ("heappush", "heappop", "heappushpop", "heapreplace"),
    ("bisect", "bisect_left", "bisect_right"),
    ("insort", "insort_left", "insort_right"),
    ("append", "appendleft"),
    ("extend", "extendleft"),
    ("pop", "popitem", "popleft"),
    ("dumps", "loads", "dump", "load"),
    ("encode", "decode"),
    ("bin", "hex", "oct", "str"),
    ("ord", "chr"),
    ("getattr", "hasattr"),
    ("ljust", "rjust", "center", "zfill"),
    ("read", "readline", "readlines"),
    ("copy", "deepcopy"),
    ("total_seconds", "seconds"),
    ("isdecimal", "isnumeric", "isdigit"),
    ("isfinite", "isnan", "isinf"),
)
_AROUND = ("abs", "int", "round", "float", "len", "sorted", "list", "tuple", "set", "sum", "min", "max", "str", "bool")
_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.[]-")
_AROUND_TOO = ("reversed", "enumerate", "bin")


def siblings(view: View) -> Iterator[Swap]:
    for node in view.expressions(ast.Call):
        assert isinstance(node, ast.Call)
        name = _called(node.func)
        if view.words.numpy and isinstance(node.func, ast.Attribute) and _base(node.func) == view.words.numpy:
            continue  # array functions have relatives of their own
        for family in _FAMILIES:
            if name in family:
                end = view.span(node.func)[1]
                for other in family:
                    if other != name:
                        note = f"`{name}` became `{other}`"
                        yield Swap((end - len(name), end), other, 1.1, note)


def _called(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def _base(func: ast.Attribute) -> str:
    return func.value.id if isinstance(func.value, ast.Name) else ""


def exchanged(view: View) -> Iterator[Swap]:
    """Two arguments, two elements or two targets the other way round."""
    for node in view.header:
        if isinstance(node, ast.Call):
            parts = [part for part in node.args if not isinstance(part, ast.Starred)]
            parts += [word.value for word in node.keywords if word.arg is not None]
        elif isinstance(node, (ast.Tuple, ast.List)):
            parts = node.elts
        else:
            continue
        for first in range(len(parts)):
            for second in range(first + 1, min(len(parts), first + 4)):
                left, right = parts[first], parts[second]
                (start, stop), (begin, end) = view.span(left), view.span(right)
                text = view.text(right) + view.source.text[stop:begin] + view.text(left)
                if view.text(left) != view.text(right):
                    note = f"`{brief(view.text(left))}` and `{brief(view.text(right))}` changed places"
                    yield Swap((start, end), text, 1.3, note)


def as_elsewhere(view: View) -> Iterator[Swap]:
    """An argument as another call of the same function has it at that place: of two alike, one was not adapted."""
    if view.function is None:
        return
    calls = [node for node in ast.walk(view.function) if isinstance(node, ast.Call)]
    for node in view.expressions(ast.Call):
        assert isinstance(node, ast.Call)
        others = [call for call in calls if call is not node and view.text(call.func) == view.text(node.func)]
        for place, part in enumerate(node.args):
            given = [call.args[place] for call in others if place < len(call.args)]
            texts = [view.text(other) for other in given if not isinstance(other, (ast.Constant, ast.Starred))]
            for text in dict.fromkeys(texts):
                if text != view.text(part) and "\n" not in text and not isinstance(part, ast.Starred):
                    yield replaced(view, part, text, 1.2)


def arguments(view: View) -> Iterator[Swap]:
    """One argument less or one more."""
    for node in view.expressions(ast.Call):
        assert isinstance(node, ast.Call)
        parts: list[ast.AST] = [*node.args, *node.keywords]
        texts = [view.text(part) for part in parts]
        if any(isinstance(part, ast.GeneratorExp) for part in parts):
            continue
        func = view.text(node.func)
        for nth in range(len(parts)):
            kept = ", ".join(texts[:nth] + texts[nth + 1 :])
            yield replaced(view, node, f"{func}({kept})", 2)
        takes = view.words.functions.get(_called(node.func))
        if takes is not None and takes <= len(parts):
            continue
        pool = [name for name in view.locals if name not in texts][:8]
        for name in [*pool, *view.words.constants[:6], "1", "0", "-1", "2", "None"]:
            yield replaced(
                view, node, f"{func}({', '.join([*texts[: len(node.args)], name, *texts[len(node.args) :]])})", 2.4
            )
    for node in view.expressions(ast.Call):
        assert isinstance(node, ast.Call)
        if _called(node.func) in ("sorted", "sort", "min", "max"):
            has = {word.arg for word in node.keywords}
            joined = ", ".join(view.text(part) for part in [*node.args, *node.keywords])
            comma = ", " if joined else ""
            more = [] if "key" in has else ["key=len", "key=abs", "key=str.lower", "key=lambda pair: pair[1]"]
            if "reverse" not in has and _called(node.func).startswith("sort"):
                more.insert(0, "reverse=True")
            if "default" not in has and _called(node.func) in ("min", "max"):
                more += ["default=0", "default=None"]
            for word in more:
                yield replaced(view, node, f"{view.text(node.func)}({joined}{comma}{word})", 2.2)


def missing_arguments(view: View) -> Iterator[Swap]:
    """An argument put in at any place: of a function of the file that takes more, or a variable before the others."""
    for node in view.expressions(ast.Call):
        assert isinstance(node, ast.Call)
        texts = [view.text(part) for part in node.args]
        if any(isinstance(part, (ast.GeneratorExp, ast.Starred)) for part in node.args):
            continue
        rest = [view.text(word) for word in node.keywords]
        takes = view.words.functions.get(_called(node.func))
        lacks = takes is not None and takes > len(texts) + len(rest)
        pool: list[str] = [name for name in view.nearest if name not in ("self", "cls")][:10]
        if lacks:
            # What the function itself handles: fields, elements and numbers too.
            pool += [*[text for text in view.ingredients if _handy(text)][:16], "0", "1", "None"]
        elif takes is not None or not texts:
            continue
        for place in range(len(texts) + lacks):
            for name in pool:
                given = ", ".join([*texts[:place], name, *texts[place:], *rest])
                cost = 1.4 if lacks else 2.6
                yield replaced(view, node, f"{view.text(node.func)}({given})", cost, f"`{name}` is given as well")


def asked_for(view: View) -> Iterator[Swap]:
    """The same where a call was refused: nothing is likelier than that it lacks one, and one that is at hand."""
    if "TypeError" in view.words.raised:
        for nth, swap in enumerate(missing_arguments(view)):
            yield swap._replace(cost=1.0 + nth / 20)


def _handy(text: str) -> bool:
    """An attribute, an element or a constant, however deep."""
    return not set(text) - _PLAIN and not text.isidentifier()


def keywords(view: View) -> Iterator[Swap]:
    """A keyword by its right name, as the functions and classes of the file have it."""
    for node in view.expressions(ast.Call):
        assert isinstance(node, ast.Call)
        known = view.words.parameters.get(_called(node.func), ())
        used = {word.arg for word in node.keywords}
        for word in node.keywords:
            if word.arg is None:
                continue
            start = view.span(word)[0]
            for name in known:
                if name not in used:
                    note = f"the keyword `{word.arg}` became `{name}`"
                    yield Swap((start, start + len(word.arg)), name, 1 if word.arg not in known else 1.4, note)


def both_sides(view: View) -> Iterator[Swap]:
    """The same call around both sides of a comparison: ``set(a) == set(b)``."""
    for node in view.expressions(ast.Compare):
        assert isinstance(node, ast.Compare)
        if len(node.ops) == 1:
            (one, left), (two, right) = ((part, view.text(part)) for part in (node.left, node.comparators[0]))
            between = view.source.text[view.span(one)[1] : view.span(two)[0]]
            for name in ("set", "sorted", "len", "abs", "str", "int", "float", "list", "tuple", "sum", "round"):
                yield replaced(view, node, f"{name}({left}){between}{name}({right})", 2.1)
            for verb in ("lower", "strip"):
                text = f"{view.atom(one)}.{verb}(){between}{view.atom(two)}.{verb}()"
                yield replaced(view, node, text, 2.2)


def unwrapped(view: View) -> Iterator[Swap]:
    """A call taken off: ``f(x)`` becomes ``x``, ``x.f()`` becomes ``x``."""
    for node in view.expressions(ast.Call):
        assert isinstance(node, ast.Call)
        if isinstance(view.parent(node), ast.Expr):
            continue
        for argument in node.args[:2]:
            if not isinstance(argument, (ast.Starred, ast.GeneratorExp)):
                yield replaced(view, node, view.text(argument), 1.8)
        if isinstance(node.func, ast.Attribute) and _base(node.func) not in view.words.imported:
            yield replaced(view, node, view.text(node.func.value), 1.8)


def wrapped(view: View) -> Iterator[Swap]:
    """A call put around a value."""
    for node in view.expressions(ast.Name, ast.Call, ast.BinOp, ast.Subscript, ast.Attribute, ast.ListComp):
        holder = view.parent(node)
        if isinstance(holder, (ast.Attribute, ast.keyword)) or (isinstance(holder, ast.Call) and holder.func is node):
            continue
        text = view.text(node)
        for name in _called_here(view):
            yield replaced(view, node, f"{name}({text})", 2.2)
        for name in (*_AROUND, *_AROUND_TOO):
            if not (isinstance(node, ast.Call) and _called(node.func) == name):
                cost = {"abs": 1.6, "len": 2.1}.get(name, 2.2)
                yield replaced(view, node, f"{name}({text})", cost)
        for method in (".copy()", ".strip()", ".lower()", "[:]", "[0]", "[-1]", "[::-1]"):
            yield replaced(view, node, f"{view.atom(node)}{method}", 2.4)


def _called_here(view: View) -> tuple[str, ...]:
    """Functions that the same function calls with one argument."""
    calls = [n for n in ast.walk(view.function) if isinstance(n, ast.Call)] if view.function is not None else []
    names = [view.text(call.func) for call in calls if len(call.args) == 1 and not call.keywords]
    return tuple(dict.fromkeys(name for name in names if name not in _AROUND and "(" not in name))


def lookups(view: View) -> Iterator[Swap]:
    """What is missing is an error, or it is not: ``d.get(k)`` and ``d[k]``."""
    for node in view.expressions(ast.Call, ast.Subscript):
        if isinstance(node, ast.Subscript):
            if not isinstance(node.slice, ast.Slice | ast.Tuple):
                yield replaced(view, node, f"{view.atom(node.value)}.get({view.text(node.slice)})", 1.8)
            continue
        assert isinstance(node, ast.Call)
        asked = isinstance(node.func, ast.Attribute) and node.func.attr == "get" and not node.keywords
        if asked and len(node.args) in (1, 2) and not isinstance(node.args[0], ast.Starred):
            assert isinstance(node.func, ast.Attribute)
            yield replaced(view, node, f"{view.atom(node.func.value)}[{view.text(node.args[0])}]", 1.2)


TEMPLATES = (
    Template("argument asked for", 1, asked_for),
    Template("lookup", 1, lookups),
    Template("sibling function", 1, siblings),
    Template("exchanged arguments", 1, exchanged),
    Template("keyword", 1, keywords),
    Template("argument as elsewhere", 1, as_elsewhere),
    Template("call around both sides", 2, both_sides),
    Template("call taken off", 2, unwrapped),
    Template("call put around", 2, wrapped),
    Template("missing argument", 2, missing_arguments),
    Template("arguments", 3, arguments),
)
