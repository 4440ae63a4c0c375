"""Tables of small programs with one slip each, many in one project: most must be mended, none of it by chance."""

import pytest
from often import some

# Endless loops are tried elsewhere: here they would only make everything else wait.
ENDLESS = {"endless_loop", "binary_search"}


def plant(project, cases):
    """Write each case as a module of its own; returns the ids of its tests, red and green."""
    for name, (_, test, wrong) in cases.items():
        project.file(f"{name}.py", wrong)
        project.file(f"tests/test_{name}.py", test.replace("from mod import", f"from {name} import"))
    done = project.pytest("-rA", "--tb=no", "--continue-on-collection-errors")
    red, green = [], []
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        node = rest.split(" - ")[0]
        if word in ("FAILED", "ERROR"):
            red.append(node)
        elif word == "PASSED":
            green.append(node)
    return red, green


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "least"), some([("plain", 0.85), ("arrays", 0.85), ("fresh", 0.75), ("slips", 0.85)], (1, 3))
)
def test_many_slips_at_once(project, seeded, kind, least):
    cases = {name: case for name, case in seeded[kind].items() if name not in ENDLESS}
    if kind in ("plain", "fresh"):
        cases = dict(list(cases.items())[::2])
    red, green = plant(project, cases)
    result = project.repair(red, green, budget_s=90.0)
    lost = {node.split("::")[0] for node in result.remaining}
    assert 1 - len(lost) / len(cases) >= least, (sorted(lost), result.note)
    project.apply(result)
    done = project.pytest("--tb=no", *(node for node in [*sorted(result.fixed), *green]))
    assert done.returncode == 0, done.stdout


def test_every_seeded_slip_is_red_and_its_right_form_is_different(seeded):
    assert sum(len(cases) for cases in seeded.values()) >= 45
    assert len(seeded["arrays"]) >= 10
    for cases in seeded.values():
        for right, test, wrong in cases.values():
            assert right != wrong
            for text in (right, test, wrong):
                compile(text, "case", "exec")
