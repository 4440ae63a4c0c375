"""A person's own keys over the table of keys.py: checked before a run starts, and how each is then written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from textual.keys import Keys, _character_to_key

from engine.errors import ConfigError
from tui import keys
from tui.keys import Key

OURS = ("ctrl+q", "ctrl+c")  # they lead out, whatever else is changed
NONE = "<none>"  # a key no terminal sends; Textual takes an empty one for "as it was"
_NAMED = {k.value for k in Keys if "+" not in k.value and not k.value.startswith("<")}
_ALIASES = {
    "esc": "escape",
    "return": "enter",
    "⏎": "enter",
    "pgdn": "pagedown",
    "pgup": "pageup",
    "del": "delete",
    "ins": "insert",
    "ctrl+i": "tab",  # to a terminal they are the same
    "ctrl+m": "enter",
}
_CHARACTERS = {_character_to_key(chr(code)): chr(code) for code in range(33, 127)}
_SIGNS = {
    "escape": "esc",
    "enter": "⏎",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "shift+tab": "S-tab",
}


@dataclass(frozen=True, slots=True)
class Keymap:
    """The keys as they are now: ``given`` where a person chose, the table's elsewhere."""

    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def pressed(self, key: Key) -> tuple[str, ...]:
        """The keys of one action, as Textual calls them."""
        if key.id not in self.given:
            return tuple(key.keys.split(","))
        return self.given[key.id] + (OURS if key.id == "quit" else ())

    def written(self, id_: str) -> str:
        """The keys of an action as a person reads them; ``–`` if it has none."""
        key = keys.by_id(id_)
        if id_ not in self.given:
            return keys.written(key)
        return " ".join(map(sign, self.given[id_])) or "–"

    def fill(self, text: str) -> str:
        """A text of ours with the keys in it: ``{pane.zoom}`` becomes ``z``. Never for text from outside."""
        return re.sub(r"\{([\w.]+)\}", lambda found: self.written(found[1]), text)

    @property
    def textual(self) -> dict[str, str]:
        """For :meth:`textual.app.App.set_keymap`."""
        return {id_: ",".join(self.pressed(keys.by_id(id_))) or NONE for id_ in self.given}


def sign(name: str) -> str:
    """A key as a person reads it.

    Examples
    --------
    >>> sign("question_mark"), sign("escape"), sign("ctrl+r")
    ('?', 'esc', 'ctrl+r')
    """
    return _SIGNS.get(name) or _CHARACTERS.get(name) or name


def canonical(text: str) -> str | None:
    """A key as Textual calls it, from what a person writes; None if no terminal has it.

    Examples
    --------
    >>> canonical("?"), canonical("Esc"), canonical("shift+r"), canonical("Ctrl+R"), canonical("retrun")
    ('question_mark', 'escape', 'R', 'ctrl+r', None)
    """
    if len(text) == 1:
        return "enter" if text == "⏎" else _character_to_key(text) if text.isprintable() else None
    *marks, base = text.lower().split("+")
    base = _ALIASES.get(base, base)
    if not set(marks) <= {"ctrl", "shift", "alt"} or len(set(marks)) != len(marks):
        return None
    if len(base) == 1 and base.isalnum() and "ctrl" not in marks and "shift" in marks:
        base, marks = base.upper(), [m for m in marks if m != "shift"]
    if len(base) != 1 and base not in _NAMED and base not in _CHARACTERS:
        return None
    name = "+".join([*sorted(marks), base])
    return _ALIASES.get(name, name)


def checked(given: Mapping[str, tuple[str, ...]], source: str) -> Keymap:
    """The keys a person wants.

    Parameters
    ----------
    given
        Action → keys, as they are in the settings.
    source
        Where the settings came from, for messages.

    Raises
    ------
    ConfigError
        An action or a key that there is not, or two actions with one key in one place.
    """
    known = [k.id for k in keys.KEYS]
    found: dict[str, tuple[str, ...]] = {}
    for id_, names in given.items():
        if id_ not in known:
            near = difflib.get_close_matches(id_, known, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else "docs/reference/keys.md lists the actions"
            raise ConfigError(f"{source}: [tui.keys] knows no action {id_!r}", hint=hint)
        found[id_] = tuple(dict.fromkeys(_key(id_, name, source) for name in names))
    keymap = Keymap(found)
    for place in keys.places():
        _check_place(keymap, place, source)
    return keymap


def _key(id_: str, name: str, source: str) -> str:
    key = canonical(name)
    where = f"{source}: [tui.keys] {id_} = {name!r}"
    if key is None and "," in name:
        raise ConfigError(f"{where} is no key", hint='several keys are a list: ["j", "down"]')
    if key is None:
        near = difflib.get_close_matches(name.lower(), [*_NAMED, *_ALIASES], 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else 'a key is a character, or a name such as "f5" or "ctrl+r"'
        raise ConfigError(f"{where} is no key", hint=hint)
    if key in OURS and id_ != "quit":
        raise ConfigError(f"{where}: {key} always leads out", hint="choose another key")
    if keys.by_id(id_).where == "hint" and (len(key) == 1 or key in _CHARACTERS or key == "space"):
        raise ConfigError(f"{where}: it is typed into the field there", hint='choose one such as "escape" or "f2"')
    return key


def _check_place(keymap: Keymap, place: str, source: str) -> None:
    """One key means one thing in a place; where the table itself lets one stand above the other, that is meant."""
    taken: dict[str, Key] = {}
    for key in _in_force(place):
        for pressed in keymap.pressed(key):
            other = taken.setdefault(pressed, key)
            if other is not key and (key.id in keymap.given or other.id in keymap.given):
                raise ConfigError(
                    f"{source}: [tui.keys] {other.id} and {key.id} both have the key {sign(pressed)}",
                    hint=f"give one of them another, or none: {_free(keymap, other, key)} = []",
                )


def _free(keymap: Keymap, one: Key, other: Key) -> str:
    """Of two actions, the one whose key a person has not chosen."""
    return one.id if one.id not in keymap.given else other.id


def _in_force(place: str) -> Iterator[Key]:
    """The keys that work in a place at the same time."""
    yield from keys.of(place)
    if place in keys.WITH_LISTS:
        yield from keys.of("list")
    yield from keys.of("app")
