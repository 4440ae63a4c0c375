"""Runs mutmut on some functions of a copy of the target, in the target's interpreter, and writes down what survived.

Run as a script with one argument, a JSON file:

``copy``       the folder that holds the copy of the project; nothing outside of it is touched
``functions``  names of functions by file, as the copy has it
``most``       mutants that are tried; of more, every n-th
``seconds``    after which it stops and says what it has
``workers``    mutants that are tried at a time
``answer``     the file that gets the result
"""

import json
import os
import signal
import sys
from pathlib import Path

SHOWN = 20
"""Surviving mutants whose text is written down."""


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        asked = json.load(file)
    answer = {"all": 0, "chosen": [], "status": {}, "shown": {}, "why": ""}
    try:
        _run(asked, answer)
    except KeyboardInterrupt:
        answer["why"] = "time"
    except SystemExit as end:
        answer["why"] = "" if not end.code else "mutmut ended with {}".format(end.code)
    except Exception as error:  # noqa: BLE001 - whatever mutmut stumbled over is what the answer says
        answer["why"] = "{}: {}".format(type(error).__name__, error)
    finally:
        signal.alarm(0)
        try:
            _read(asked, answer)
        except Exception as error:  # noqa: BLE001 - whatever mutmut stumbled over is what the answer says
            answer["why"] = answer["why"] or "{}: {}".format(type(error).__name__, error)
        with open(asked["answer"], "w", encoding="utf-8") as file:
            json.dump(answer, file)
        sys.stdout.flush()
        os._exit(0)  # threads of the tests may still run


def _run(asked, answer):
    os.chdir(asked["copy"])
    _leave_worktree(asked["copy"])
    from mutmut.__main__ import cli

    names = [name for path in sorted(asked["functions"]) for name in _mutants(path, asked["functions"][path])]
    answer["all"] = len(names)
    count = min(len(names), asked["most"])
    answer["chosen"] = [names[i * len(names) // count] for i in range(count)]
    if not names:
        return
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(asked["seconds"])
    cli.main(["run", "--max-children", str(asked["workers"]), *answer["chosen"]], standalone_mode=False)


def _stop(_number, _frame):
    raise KeyboardInterrupt


def _leave_worktree(copy):
    """What tests import is the copy with the mutants, in processes that they start too."""
    left = {os.path.abspath(p) for p in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if p}
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if p and os.path.abspath(p) not in left | {own}]
    mutants = [os.path.join(copy, "mutants", root) for root in ("src", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(p.rstrip(os.sep) for p in mutants)


def _mutants(path, functions):
    """Names of the mutants of some functions of a file, as mutmut has them."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name, make_mutant_key

    with open(path, encoding="utf-8") as file:
        made = mutate_file_contents(path, file.read()).mutant_names
    keys = set()
    for function in functions:
        kind, _, name = function.rpartition(".")
        keys.add(make_mutant_key(name, kind or None))
    return [get_mutant_name(Path(path), name) for name in made if name.partition("__mutmut_")[0] in keys]


def _read(asked, answer):
    """How each chosen mutant ended, and the text of some that survived."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    os.chdir(asked["copy"])
    for path in sorted(asked["functions"]):
        data = SourceFileMutationData(path=Path(path))
        data.load()
        for name, code in data.exit_code_by_key.items():
            if name not in answer["chosen"]:
                continue
            answer["status"][name] = status = status_by_exit_code[code]
            if status in ("survived", "no tests") and len(answer["shown"]) < SHOWN:
                answer["shown"][name] = get_diff_for_mutant(name, path=Path(path))


if __name__ == "__main__":
    main()
