"""What keys look like: one pattern a kind, each with the words that must be there before it is worth a look. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Where a word may begin: not inside another one; but `\n` in a quoted text and a colour's end are no part of it.
_STARTS = r"(?:(?<![A-Za-z0-9_-]{0})|(?<=\\[nrt]{0})|(?<=[0-9]m{0}))"
_PEM = r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"
_PEM_END = r"-----END [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"
_BETWEEN = r"[\s\\nrE|>'\"+,b()]"  # what a report puts around the lines of a quoted text


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of key.

    Parameters
    ----------
    marks
        A text without any of these holds no such key.
    source
        The pattern. Begins with a literal, so that looking for it is fast. The secret is its group, else all of it.
    """

    kind: str
    marks: tuple[str, ...]
    source: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a mark was met, not at every start; ``re`` remembers it."""
        return re.compile(self.source)


def _word(start: str, rest: str) -> str:
    """``start`` where a word begins, then ``rest``."""
    return re.escape(start) + _STARTS.replace("{0}", re.escape(start)) + rest


def _shape(kind: str, marks: str, *patterns: str) -> Shape:
    return Shape(kind, tuple(marks.split("|")), "|".join(patterns))


# An open block first, whole; where a report has cut it off, as much as looks like its lines.
_PRIVATE = (
    rf"{_PEM}[^\0]{{0,8000}}?{_PEM_END}",
    rf"{_PEM}(?:{_BETWEEN}{{1,40}}[A-Za-z0-9+/=]{{16,}})*(?:{_BETWEEN}{{1,40}}[A-Za-z0-9+/=]{{1,76}}(?={_BETWEEN}*\Z))?",
)
_HEADER = (
    r"uthorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:[Bb]earer|[Bb]asic|[Tt]oken)\s{1,4}(?![{<$%‹])([^\s\"',;‹]{8,})"
)
_BEARER = r"earer\s{1,4}((?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]{16,})"

SHAPES = (
    Shape("private key", ("PRIVATE KEY",), "|".join(_PRIVATE)),
    _shape("Anthropic key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{16,}"),
    _shape(
        "API key",
        "sk-",
        _word("sk-", r"(?:(?:proj|svcacct|admin|or-v1|lf)-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{20,})"),
    ),
    _shape("Stripe key", "k_live_|k_test_", r"k_(?:live|test)_(?<=[srp]k_(?:live|test)_)[A-Za-z0-9]{16,}"),
    _shape("GitHub token", "ghp_|gho_|ghs_|ghu_|ghr_", r"gh[posur]_[A-Za-z0-9]{30,}"),
    _shape("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{30,}"),
    _shape("GitLab token", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
    _shape("AWS key", "AKIA|ASIA", *(_word(s, r"[0-9A-Z]{16}(?![A-Za-z0-9])") for s in ("AKIA", "ASIA"))),
    _shape("Slack token", "xox|xapp-", r"xox[abceoprs]-[A-Za-z0-9-]{10,}", r"xapp-[A-Za-z0-9-]{10,}"),
    _shape("Google key", "AIza", _word("AIza", r"[A-Za-z0-9_-]{35}")),
    _shape("Hugging Face token", "hf_", _word("hf_", r"[A-Za-z0-9]{30,}")),
    _shape("npm token", "npm_", _word("npm_", r"[A-Za-z0-9]{36,}")),
    _shape("PyPI token", "pypi-", _word("pypi-", r"[A-Za-z0-9_]{16}[A-Za-z0-9_-]{24,}")),
    _shape("web token", "eyJ", _word("eyJ", r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")),
    _shape("password", "://", r"://(?<=[A-Za-z0-9]://)([^\s/:@\"'<>‹›]{0,200}:[^\s/\"'<>‹›]{3,200})@"),
    _shape("authorization", "uthorization", _HEADER),
    _shape("authorization", "UTHORIZATION", _HEADER.replace("uthorization", "UTHORIZATION")),
    _shape("authorization", "earer ", _BEARER),
    *(
        _shape("authorization", name, rf"{name}[\"']?\s{{0,4}}[:=]\s{{0,4}}[\"']?(?![{{<$%‹])([^\s\"',;‹]{{8,}})")
        for name in ("x-api-key", "X-Api-Key", "X-API-Key")
    ),
)

# The same block, met line by line.
OPENS = re.compile(_PEM)
CLOSES = re.compile(_PEM_END)
INSIDE = re.compile(rf"{_BETWEEN}*[A-Za-z0-9+/=]{{1,100}}{_BETWEEN}*|{_BETWEEN}*(?:Proc-Type|DEK-Info):.*|\s*")
