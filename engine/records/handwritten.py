"""Lines of a ledger as people write them, read with good will: what was meant, and whether it is written so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.model import GateStatus, Hop, Route, RouteKind
from engine.records import ledger
from engine.records.ledger import LedgerError, unescape

_WORDS = {
    GateStatus.PASS: "pass passed passes passing ok okay green success successful succeeded done good yes ✅ ✓ ✔ ✔️",
    GateStatus.FAIL: "fail failed fails failing failure red error errors broken bad no ✗ ✘ ❌ ✖",
    GateStatus.SKIPPED: "skipped skip skipping neutral ignored n/a na not-applicable ⏭ ⏭️",
}
_MEANT = {word: status for status, words in _WORDS.items() for word in words.split()}
_NOT_YET_WORDS = "pending todo tbd waiting running started in-progress not-run not-yet unknown ? - – — …"
_NOT_YET = frozenset(_NOT_YET_WORDS.split())
_STATUS = re.compile(r"(pass|fail|skipped)(?: \((.*)\))?", re.S)
_STATES = {
    "ready": "ready done complete completed finished green passed pass ok success final merged",
    "needs-rework": "needs-rework rework needs-work failed fail failing red blocked rejected broken not-green",
}
_LONG = 1000
"""Characters of a line that are read with good will; the patterns would take too long over more."""

_BULLET = re.compile(r"(?:[-*+•–]|\d{1,4}[.)])\s+")
_AGENT = re.compile(r"[*_`]*\[[*_` ]*([^\]*`]+?)[*_` ]*\][*_`]*|\*\*([^*]+)\*\*|`([^`]+)`|([A-Za-z][\w-]*)(?=:\s)")
_ARROW = r"(?:→|-{1,2}>|={1,2}>|⇒|➜|➔|➡|⟶|:)"
_ROUTE = re.compile(rf"\b(NEXT|FINALI[SZ]E)\b[*_`]*\s*{_ARROW}\s*[*_`]*", re.I)
_NAME = re.compile(r"[A-Za-z][\w.-]*(?: \([^()]*\))?")
_SEVERAL = re.compile(r"\s*(?:,|/|&|\+|\||\band\b|\bor\b)\s*")
_FIELD = re.compile(
    r"\s*(?:[-*+>]\s+)?[*_`]*\s*(state|status|why|reasons?|rationale|next)\s*[*_`]*\s*[:=]\s*[*_`]*(.*)", re.I
)
_EXACT = re.compile(r"\*\*(?:(State|Next):\*\* |(Why):\*\* ?)(.*)")
_KEYS = {"status": "State", "reason": "Why", "reasons": "Why", "rationale": "Why"}


def read_row(line: str, count: int) -> tuple[tuple[str, ...] | None, bool]:
    """Cells of a table's row, and whether it is written as one; None: it is none.

    Examples
    --------
    >>> read_row("|impl|pass|a | b|", 3)
    (('impl', 'pass', 'a | b'), False)
    """
    if line.startswith("| ") and line.endswith(" |"):
        cells = line[2:-2].split(" | ")
        if len(cells) == count and not any(re.search(r"(?<!\\)\|", c) for c in cells):
            return tuple(map(unescape, cells)), True
    text = line.strip()
    if "|" not in text:
        return None, False
    text = text.removeprefix("|")
    text = text[:-1] if text.endswith("|") and not text.endswith("\\|") else text
    found = [unescape(c.strip()) for c in re.split(r"(?<!\\)\|", text)]
    if all(re.fullmatch(r":?-+:?", c) for c in found):
        return None, False
    if len(found) > count:
        found = [*found[: count - 1], " | ".join(found[count - 1 :])]
    return tuple(found), False


def status_of(word: str) -> tuple[GateStatus | None, str, bool]:
    """Status and reason a cell means, and whether it is written so. Without a status, True: a word for "not yet".

    Examples
    --------
    >>> status_of("✅ PASSED"), status_of("skip: no gpu")
    ((<GateStatus.PASS: 'pass'>, '', False), (<GateStatus.SKIPPED: 'skipped'>, 'no gpu', False))
    """
    if match := _STATUS.fullmatch(word):
        return GateStatus(match[1]), match[2] or "", True
    plain = word[:_LONG].strip().strip("*_`").strip().lower()
    if not plain or re.sub(r"[\s_]+", "-", plain) in _NOT_YET:
        return None, "", True
    head, _, rest = plain.partition(" ")
    if head in ("✅", "✓", "✔", "✔️", "✗", "✘", "❌", "✖", "⏭", "⏭️") and rest:
        plain = rest.strip().strip("*_`")
    match = re.fullmatch(r"(n/a|[\w-]+|[^\w\s]+)\s*(?:[:(–—-]\s*(.*?)\)?)?\s*[^\w\s)]*", plain, re.S)
    status = _MEANT.get(match[1]) if match else None
    if match is None or status is None:
        return None, "", False
    return status, match[2] or ("n/a-surface" if match[1] in ("n/a", "na") else ""), False


def state_of(text: str) -> str:
    """The state of a decision that a word means."""
    word = re.sub(r"[\s_]+", "-", text.strip().strip("*_`").lower())
    return next((state for state, words in _STATES.items() if word in words.split()), "in-progress")


def hop_of(line: str) -> tuple[Hop | None, tuple[str, ...]]:
    """The hop a line means, and the targets it names besides; None: it is none.

    Examples
    --------
    >>> hop_of("* **impl-creator** did it NEXT -> code-reviewer")[0]
    Hop(agent='impl-creator', text='did it', route=Route(kind=<RouteKind.NEXT: 'NEXT'>, target='code-reviewer'))
    """
    try:
        hop = ledger.parse_hop(line)
    except LedgerError:
        return _meant(line)
    targets = _targets(hop.route.target)
    return Hop(hop.agent, hop.text, Route(hop.route.kind, targets[0])), tuple(targets[1:])


def _meant(line: str) -> tuple[Hop | None, tuple[str, ...]]:
    text = unescape(line.strip()) if len(line) <= _LONG else ""
    if bullet := _BULLET.match(text):
        text = text[bullet.end() :]
    agent = _AGENT.match(text)
    routes = list(_ROUTE.finditer(text))
    if agent is None or not routes or routes[-1].start() < agent.end():
        return None, ()
    last = routes[-1]
    targets = _targets(text[last.end() :].strip().strip("*_`[]").rstrip(".;*_` "))
    if not targets[0]:
        return None, ()
    said = text[agent.end() : last.start()].strip().lstrip(":–—- ").rstrip(";,:.–—-*_` ")
    name = next(g for g in agent.groups() if g).strip().rstrip(":").rstrip()
    return Hop(name, said, Route(_kind(last[1]), targets[0])), tuple(targets[1:])


def _kind(word: str) -> RouteKind:
    return RouteKind.NEXT if word.upper() == "NEXT" else RouteKind.FINALIZE


def _targets(text: str) -> list[str]:
    """The agents a route names: one, unless all parts of it look like names."""
    if _NAME.fullmatch(text):
        return [text]
    parts = [p.strip("*_`[] ") for p in _SEVERAL.split(text)]
    return parts if len(parts) > 1 and all(_NAME.fullmatch(p) for p in parts) else [text]


def place_of(target: str) -> str:
    """The agent of a target, without what stands in brackets behind it."""
    return re.sub(r"\s*\([^()]*\)$", "", target).strip()


def route_of(text: str) -> tuple[Route | None, bool]:
    """The route a decision means, and whether it is written so."""
    text = unescape(text)
    if exact := re.fullmatch(r"(NEXT|FINALIZE) → (.+)", text, re.S):
        return Route(RouteKind(exact[1]), exact[2]), True
    text = text[:_LONG].strip().lstrip("*_`")
    meant = _ROUTE.match(text)
    target = text[meant.end() :].strip().strip("*_`[]").rstrip(".; ") if meant else ""
    return (Route(_kind(meant[1]), target), False) if meant and target else (None, False)


@dataclass(frozen=True, slots=True)
class Written:
    """A line of a decision; ``more`` lines go on with it."""

    line: int
    text: str
    exact: bool
    more: int = 0


@dataclass(frozen=True, slots=True)
class DecisionLines:
    """The lines State, Why and Next, in the order they were met, and the lines that are none of them."""

    fields: dict[str, Written] = field(default_factory=dict)
    strays: tuple[tuple[int, str], ...] = ()

    @property
    def order(self) -> list[str]:
        return list(self.fields)

    @classmethod
    def of(cls, lines: Iterable[tuple[int, str]]) -> DecisionLines:
        """Sort the numbered lines of a section."""
        numbered = list(lines)
        while numbered and not numbered[-1][1]:
            numbered.pop()
        while numbered and not numbered[0][1]:
            numbered.pop(0)
        fields: dict[str, Written] = {}
        strays: list[tuple[int, str]] = []
        last = ""
        for number, text in numbered:
            key, said, exact = _field(text)
            if key and key not in fields:
                fields[key] = Written(number, said, exact)
                last = key
            elif last == "Why" and not key:
                why = fields["Why"]
                fields["Why"] = Written(why.line, why.text, why.exact, why.more + 1)
            else:
                strays.append((number, text))
        return cls(fields, tuple(strays))


def _field(text: str) -> tuple[str, str, bool]:
    if exact := _EXACT.fullmatch(text):
        return exact[1] or exact[2], exact[3], True
    if meant := _FIELD.fullmatch(text[:_LONG].strip()):
        key = meant[1].lower()
        return _KEYS.get(key, key.capitalize()), meant[2].strip().strip("*").strip(), False
    return "", "", False
