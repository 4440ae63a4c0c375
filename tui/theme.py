"""Colour by meaning: the two themes and the tokens of our own."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from textual.theme import BUILTIN_THEMES, Theme

# Tokens the style sheet and the texts use beside Textual's; they must exist before any theme is chosen.
TOKENS = {"muted": "#8F97AE", "quiet": "#3A4052", "bar": "#232733"}

DARK = Theme(
    name="bitnet-dark",
    primary="#7AA2F7",
    secondary="#7AA2F7",
    accent="#7AA2F7",
    success="#8FBF6B",
    error="#F0708A",
    warning="#E0AF68",
    foreground="#C8CFE0",
    background="#14161D",
    surface="#14161D",
    panel="#232733",
    dark=True,
    variables={"muted": "#8F97AE", "quiet": "#3A4052", "bar": "#232733", "border": "#3A4052"},
)

LIGHT = Theme(
    name="bitnet-light",
    primary="#1F4FB0",
    secondary="#1F4FB0",
    accent="#1F4FB0",
    success="#2F6B2A",
    error="#A8213D",
    warning="#7A4E00",
    foreground="#20242E",
    background="#F6F7FA",
    surface="#F6F7FA",
    panel="#E3E6EE",
    dark=False,
    variables={"muted": "#5A6072", "quiet": "#B9BECC", "bar": "#E3E6EE", "border": "#B9BECC"},
)

# The sixteen colours the person's own terminal has, whatever they are there.
ANSI = Theme(
    name="ansi",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_blue",
    accent="ansi_blue",
    success="ansi_green",
    error="ansi_red",
    warning="ansi_yellow",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        "muted": "ansi_bright_black",
        "quiet": "ansi_bright_black",
        "bar": "ansi_default",
        "border": "ansi_bright_black",
    },
)


def tokens(theme: Theme) -> dict[str, str]:
    """Our tokens under a theme that does not bring them."""
    ours = ANSI if theme.ansi else DARK if theme.dark else LIGHT
    return {name: ours.variables[name] for name in TOKENS}


def no_theme(wanted: str, known: Iterable[str]) -> str:
    """What is said when the settings name a theme that there is not."""
    near = get_close_matches(wanted, known, 1, 0.5)
    return f"no theme {wanted[:40]!r}" + (f": did you mean {near[0]!r}?" if near else ": ctrl+p, Theme, lists them")


# What a text may say of itself; the names of the style sheet's tokens.
GOOD = "$text-success"
BAD = "$text-error"
WANTS = "$text-warning"
ALIVE = "$text-primary"
MUTED = "$muted"
STRONG = "bold"
