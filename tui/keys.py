"""Every key of the program, once: what it does, where it works, and what the key line and the help say of it.

``python -m tui.keys`` prints the reference of them.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from textual.binding import Binding, BindingType


class Key(NamedTuple):
    """``id`` is stable, so that people may remap it; ``label`` puts it in the key line."""

    id: str
    keys: str
    action: str
    tooltip: str
    where: str = "main"
    label: str = ""
    shown: str = ""  # how the key is written, if not as ``keys``


KEYS: tuple[Key, ...] = (
    Key("run.retry", "r", "act('run.retry')", "retry: another attempt, with a hint if you like", label="Retry"),
    Key("decide.open", "o", "act('decide.open')", "all routes, and why some are off", label="Route"),
    Key("run.finalize", "f", "act('run.finalize')", "finalize: hand the verified patch on", label="Finalize"),
    Key("run.pause", "p", "act('run.pause')", "pause at the next safe point, or go on", label="Pause"),
    Key("run.stop", "x", "act('run.stop')", "stop the run: after this step, or now", label="Stop"),
    Key("view.diff", "d", "view('diff')", "the diff of the current patch", label="Diff"),
    Key("view.log", "l", "view('log')", "the output of the run", label="Log"),
    Key("view.bench", "b", "bench", "the bench: how fast the kernels are here", label="Bench"),
    Key("view.ledger", "L", "view('ledger')", "the ledger, as a page"),
    Key("view.features", "F", "view('features')", "pass and fail by feature, now and at the audit"),
    Key("list.filter", "slash", "filter", "show only what has a text in it", label="Filter", shown="/"),
    Key("help", "question_mark", "help", "the keys and the signs", label="Help", shown="?"),
    Key("quit", "q,ctrl+q,ctrl+c", "leave", "leave; asks first while the run goes on", label="Quit", shown="q"),
    Key("decide.accept", "a", "act('decide.accept')", "accept the recommended route"),
    Key("diet.restore", "u", "act('diet.restore')", "bring back what the diet took away"),
    Key("runs.open", "H", "runs", "earlier runs: open, replay, apply"),
    Key("diff.next", "right_square_bracket", "hunk(1)", "next hunk of the diff", shown="]"),
    Key("diff.previous", "left_square_bracket", "hunk(-1)", "previous hunk of the diff", shown="["),
    # Not u, which opens what was taken away here as everywhere; not x, which stops the run.
    Key(
        "change.revert",
        "minus",
        "act('change.revert')",
        "take the marked hunk of the diff away; u brings it back",
        shown="-",
    ),
    Key("change.others", "c", "act('change.others')", "choose another change: the runners-up"),
    Key("pane.1", "1", "pane(1)", "go to Tests", shown="1"),
    Key("pane.2", "2", "pane(2)", "go to Attempts", shown="2"),
    Key("pane.3", "3", "pane(3)", "go to Gates", shown="3"),
    Key("pane.4", "4", "pane(4)", "go to Detail", shown="4"),
    Key("pane.5", "5", "pane(5)", "go to Hoplog", shown="5"),
    Key("pane.next", "tab", "next_pane(1)", "next pane"),
    Key("pane.previous", "shift+tab", "next_pane(-1)", "previous pane", shown="S-tab"),
    Key("pane.zoom", "z", "zoom", "this pane alone, and back"),
    Key("test.next", "n", "failing(1)", "next failing test"),
    Key("test.previous", "N", "failing(-1)", "previous failing test"),
    Key("back", "escape", "back", "back out one level", shown="esc"),
    Key("palette", "ctrl+p", "app.command_palette", "every action by name", shown="ctrl+p"),
    Key("replay.pause", "space", "act('run.pause')", "pause the replay, or go on", "replay", "Pause"),
    Key("replay.faster", "plus", "faster(2)", "twice as fast", "replay", "Faster", "+"),
    Key("replay.slower", "minus", "faster(0.5)", "half as fast", "replay", "Slower", "-"),
    Key("replay.skip", "full_stop", "skip", "on to the next step, question or end", "replay", "Skip", "."),
    Key("list.down", "j,down", "move(1)", "down", "list", shown="j ↓"),
    Key("list.up", "k,up", "move(-1)", "up", "list", shown="k ↑"),
    Key("list.page_down", "pagedown,ctrl+d", "page(1)", "a page down", "list", shown="PgDn"),
    Key("list.page_up", "pageup,ctrl+u", "page(-1)", "a page up", "list", shown="PgUp"),
    Key("list.first", "g,home", "first", "to the top", "list", shown="g"),
    Key("list.last", "G,end", "last", "to the end; in the log: follow", "list", shown="G end"),
    Key("item.open", "enter", "open", "open what is selected", "list", shown="⏎"),
    Key("copy", "y", "copy", "copy what is selected; of a test's detail, the command that reruns it", "list"),
    Key("edit", "e", "edit", "open the file, at its line, in your $VISUAL or $EDITOR", "list"),
    Key("decide.take", "a", "take('a')", "accept the recommended route", "decision"),
    Key("decide.retry", "r", "take('r')", "retry, with a hint if you like", "decision"),
    Key("decide.finalize", "f", "take('f')", "finalize", "decision"),
    *(Key(f"decide.{n}", str(n), f"take('{n}')", f"take route {n}", "decision") for n in range(1, 10)),
    Key("decide.down", "j,down", "move(1)", "down", "decision", shown="j ↓"),
    Key("decide.up", "k,up", "move(-1)", "up", "decision", shown="k ↑"),
    Key("decide.pick", "enter", "pick", "take the marked route", "decision", shown="⏎"),
    Key("decide.here", "w", "here", "run the agent of the marked route, or of the recommended one, here", "decision"),
    Key("decide.diff", "d", "look('diff')", "leave it parked and look at the diff", "decision"),
    Key("decide.log", "l", "look('log')", "leave it parked and look at the log", "decision"),
    Key("decide.restore", "u", "look('diet')", "what the diet took away, to be brought back", "decision"),
    Key("decide.others", "c", "look('others')", "the runners-up, to be taken in place of the change", "decision"),
    Key("decide.park", "escape,o", "park", "close; the engine stays parked", "decision", shown="esc"),
    *(Key(f"limit.{n}", str(n), f"take('{n}')", f"raise the limit, step {n}", "limit") for n in range(1, 4)),
    Key("limit.type", "t", "take('t')", "type another limit", "limit"),
    Key("limit.finish", "f", "take('f')", "finish: judge the attempt as it stands", "limit"),
    Key("limit.forward", "n", "take('n')", "route forward: judge it, then hand over", "limit"),
    Key("limit.diff", "d", "look('diff')", "leave it parked and look at the diff", "limit"),
    Key("limit.log", "l", "look('log')", "leave it parked and look at the log", "limit"),
    Key("limit.park", "escape,o,q", "park", "close; the engine stays parked", "limit", shown="esc"),
    Key("diet.mark", "space", "mark", "mark a piece, or take its mark away", "removed"),
    Key("diet.mark_all", "asterisk", "mark_all", "mark all pieces, or none", "removed", shown="*"),
    Key("diet.bring_back", "enter", "bring_back", "bring the marked pieces back", "removed", shown="⏎"),
    Key("diet.undo", "x", "undo", "take away again what was brought back", "removed"),
    Key("diet.unrevert", "minus", "unrevert", "bring back what you took away yourself", "removed", shown="-"),
    Key("diet.leave", "escape,u,q", "park", "leave; nothing is sent", "removed", shown="esc"),
    Key("others.take", "enter", "take", "take this change instead: it is verified again", "others", shown="⏎"),
    Key("others.leave", "escape,c,q", "park", "leave; nothing is sent", "others", shown="esc"),
    Key("runs.replay", "R", "replay", "replay the run", "runs"),
    Key("runs.apply", "A", "apply", "bring its change into your files; asks first", "runs"),
    Key("runs.close", "escape,H,q", "close", "close", "runs", shown="esc"),
    Key("apply.now", "enter", "answer(True)", "apply it", "apply", shown="⏎"),
    Key("apply.back", "escape,q", "answer(False)", "back, nothing is applied", "apply", shown="esc"),
    Key("bench.run", "r", "measure('short')", "measure; asks first while a run is at work", "bench", "Run"),
    Key("bench.run_all", "R", "measure('long')", "measure all shapes of the model", "bench", "All shapes"),
    Key("bench.stop", "x", "stop", "stop; what was measured stays", "bench", "Stop"),
    Key("bench.sort", "s", "sort", "another order of the rows", "bench", "Sort"),
    Key("bench.sweep", "v", "turn", "the sweep alone, and back", "bench", "Sweep"),
    Key("bench.help", "question_mark", "help", "the keys, and what the columns mean", "bench", "Help", "?"),
    Key("bench.close", "escape,b,q", "close", "back to the run; a benchmark goes on", "bench", "Back", "esc"),
    Key("beside.pause", "p", "answer('pause')", "pause the run, measure, go on", "beside"),
    Key("beside.go", "m", "answer('beside')", "measure beside the run", "beside"),
    Key("beside.back", "escape,q", "answer('')", "not now", "beside", shown="esc"),
    Key("stop.step", "s", "stop('step')", "after this step", "stop"),
    Key("stop.now", "x", "stop('now')", "now", "stop"),
    Key("stop.stay", "escape,q", "stop('')", "stay", "stop", shown="esc"),
    Key("hint.back", "escape", "back", "back, nothing is sent", "hint", shown="esc"),
    Key("help.close", "escape,question_mark,q", "app.pop_screen", "close", "help", shown="esc"),
    Key("suspend", "ctrl+z", "suspend_process", "back to the shell; the run stands still until fg", "app"),
)
# The places as a person meets them, each with a sentence for the reference.
PLACES = {
    "main": "On the main screen",
    "replay": "In a replay, beside those of the main screen that steer nothing",
    "list": "In a pane or a list",
    "decision": "While a decision is asked (o)",
    "limit": "At a spent limit (o)",
    "removed": "In what the diet took away (u)",
    "others": "In the list of runners-up (c)",
    "runs": "In the list of runs",
    "apply": "When asked whether to apply",
    "bench": "In the bench",
    "beside": "When a run is at work and the bench is asked",
    "stop": "When asked how to stop (x, q)",
    "hint": "In a field",
    "help": "In the help (?)",
    "app": "Everywhere",
}
WITH_LISTS = (
    "main",
    "replay",
    "removed",
    "others",
    "runs",
    "bench",
)  # where the keys of a list work beside the place's own


def bindings(where: str) -> list[BindingType]:
    """The bindings of one place."""
    return [
        Binding(
            k.keys,
            k.action,
            k.label or k.tooltip,
            show=bool(k.label),
            id=k.id,
            tooltip=k.tooltip,
            priority=where == "app",  # over whatever is open
        )
        for k in KEYS
        if k.where == where
    ]


def of(where: str) -> list[Key]:
    return [k for k in KEYS if k.where == where]


def places() -> list[str]:
    """Where keys work, in the order of the table."""
    return list(dict.fromkeys(k.where for k in KEYS))


def by_id(id_: str) -> Key:
    return next(k for k in KEYS if k.id == id_)


def written(key: Key) -> str:
    """The key as a person reads it."""
    return key.shown or key.keys


def reference() -> str:
    """docs/reference/keys.md, of which this table is the source."""
    lines = [_HEAD]
    for place in places():
        lines += [f"## {PLACES.get(place, place)}", "", "| key | action | does |", "|---|---|---|"]
        for key in of(place):
            pressed = " ".join(f"`{each}`" for each in written(key).split())
            lines.append(f"| {pressed} | `{key.id}` | {key.tooltip} |")
        lines.append("")
    return "\n".join(lines)


_HEAD = """\
# Keys

<!-- Made by `python -m tui.keys`; a test fails when it is stale. -->

One key, one verb, the same in every pane. `?` shows the keys of the pane you are in, `ctrl+p` finds every action by
name. The mouse works, too: a click on a key of the lowest line is a press.

An action has a name, and with it a key of your own in the settings:

```toml
[tui.keys]
run.retry = "R"             # a character, or a name: "f5", "ctrl+r", "space", "pagedown", "esc"
list.down = ["j", "n"]      # several keys
test.next = []              # none; ctrl+p still finds it
```

In a project's `bitnet-tui.toml` they are for that project; in `~/.config/bitnet-tui/config.toml` (or below
`$XDG_CONFIG_HOME`) for all of yours, and stronger. That file may hold `[tui]` alone: `theme`, `glyphs` and keys.

Help, key line and questions then show these keys. A name that there is not, a key that there is not, and two actions
with one key in one place are refused before a run starts. `ctrl+q` and `ctrl+c` always lead out.
"""


if __name__ == "__main__":
    sys.stdout.write(reference())
