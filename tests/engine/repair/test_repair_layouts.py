"""The repairer finds a slip wherever a project keeps its code and however its tests reach it."""

import pytest

ADD = "def add(a, b):\n    return a - b\n"
FIXED = "return a + b"


def mended(project, result, *ids):
    assert result.fixed == frozenset(ids), result.note
    assert not result.remaining
    project.apply(result)
    done = project.pytest()
    assert done.returncode == 0, done.stdout


def test_a_package_beside_its_tests(project):
    project.file("pkg/__init__.py", "").file("pkg/core.py", ADD)
    project.file("tests/test_core.py", "from pkg import core\ndef test_add(): assert core.add(2, 3) == 5\n")
    result = project.repair(["tests/test_core.py::test_add"])
    assert FIXED in result.files["pkg/core.py"]
    assert result.edits[0].line == 2
    assert result.edits[0].before == "    return a - b\n"
    assert result.located[0][:2] == ("pkg/core.py", 2)
    mended(project, result, "tests/test_core.py::test_add")


@pytest.mark.parametrize("options", ["-x", "--ff", "--lf", "--sw", "--maxfail=1 --nf"])
def test_options_of_the_project_that_would_end_or_narrow_a_run(project, options):
    project.file("pytest.ini", f"[pytest]\naddopts = {options}\n").file("core.py", ADD)
    project.file(
        "tests/test_core.py",
        "from core import add\ndef test_a(): assert add(2, 3) == 5\ndef test_b(): assert add(1, 3) == 4\n",
    )
    result = project.repair(["tests/test_core.py::test_a", "tests/test_core.py::test_b"])
    assert FIXED in result.files["core.py"]


def test_a_module_that_only_the_test_itself_imports(project):
    project.file("core.py", "def size(xs):\n    return len(xs) - 1\n")
    project.file("tests/test_core.py", "def test_size():\n    import core\n    assert core.size([4, 5]) == 3\n")
    mended(project, project.repair(["tests/test_core.py::test_size"]), "tests/test_core.py::test_size")


def test_a_green_test_that_cannot_pass_in_a_copy_is_no_objection(project):
    project.file("core.py", ADD).file("here.txt", str(project.root))
    project.file(
        "tests/test_core.py",
        "import pathlib\nfrom core import add\n\ndef test_add(): assert add(2, 3) == 5\n\n"
        "def test_place(): assert pathlib.Path('here.txt').read_text() == str(pathlib.Path.cwd())\n",
    )
    result = project.repair(["tests/test_core.py::test_add"], ["tests/test_core.py::test_place"])
    mended(project, result, "tests/test_core.py::test_add")


def test_tests_that_a_project_spreads_over_workers(project):
    pytest.importorskip("xdist", reason="missing-tool: pytest-xdist; `make test` installs it")
    project.file("pytest.ini", "[pytest]\naddopts = -p xdist.plugin -n 2\n").file("core.py", ADD)
    project.file("tests/test_core.py", "from core import add\ndef test_add(): assert add(2, 3) == 5\n")
    assert FIXED in project.repair(["tests/test_core.py::test_add"]).files["core.py"]


def test_a_src_layout(project):
    project.file("src/pkg/__init__.py", "").file("src/pkg/core.py", ADD)
    project.file("tests/test_core.py", "from pkg.core import add\ndef test_add(): assert add(2, 3) == 5\n")
    result = project.repair(["tests/test_core.py::test_add"], import_roots=("src",))
    assert FIXED in result.files["src/pkg/core.py"]


def test_a_module_beside_its_test_in_a_subfolder(project):
    project.file("sub/core.py", ADD).file(
        "sub/test_core.py", "from core import add\ndef test_add(): assert add(2, 3) == 5\n"
    )
    result = project.repair(["test_core.py::test_add"], cwd=project.root / "sub", import_roots=("sub",))
    assert FIXED in result.files["sub/core.py"]
    assert result.fixed == {"test_core.py::test_add"}


def test_several_slips_in_several_files(project):
    project.file("pkg/__init__.py", "")
    project.file("pkg/one.py", ADD)
    project.file("pkg/two.py", "def last(xs):\n    return xs[len(xs)]\n")
    project.file("pkg/three.py", "LIMIT = 9\n\ndef fits(n):\n    return n <= LIMIT\n")
    project.file(
        "tests/test_one.py",
        "from pkg.one import add\ndef test_a(): assert add(2, 3) == 5\ndef test_b(): assert add(1, 1) == 2\n",
    )
    project.file("tests/test_two.py", "from pkg.two import last\ndef test_a(): assert last([1, 4]) == 4\n")
    project.file(
        "tests/test_three.py",
        "from pkg.three import fits\ndef test_a(): assert fits(10) and not fits(11)\ndef test_b(): assert fits(3)\n",
    )
    red = [
        "tests/test_one.py::test_a",
        "tests/test_one.py::test_b",
        "tests/test_two.py::test_a",
        "tests/test_three.py::test_a",
    ]
    result = project.repair(red, ["tests/test_three.py::test_b"])
    assert set(result.files) == {"pkg/one.py", "pkg/two.py", "pkg/three.py"}
    mended(project, result, *red)


def test_two_slips_under_one_test(project):
    project.file("core.py", "def double(n):\n    return n * 3\n\ndef shift(n):\n    return n - 1\n")
    project.file(
        "tests/test_core.py",
        "from core import double, shift\ndef test_both():\n    assert double(4) == 8\n    assert shift(4) == 5\n",
    )
    result = project.repair(["tests/test_core.py::test_both"])
    assert len(result.edits) == 2, result.note
    mended(project, result, "tests/test_core.py::test_both")


def test_odd_parameters_classes_and_fixtures(project):
    project.file(
        "core.py",
        "class Gauge:\n"
        "    def __init__(self, top):\n"
        "        self.top = top\n"
        "\n"
        "    def over(self, n):\n"
        "        return n >= self.top\n",
    )
    project.file(
        "tests/test_core.py",
        """
        import pytest
        from core import Gauge

        @pytest.fixture(scope="module")
        def gauge():
            return Gauge(3)

        class TestGauge:
            @pytest.mark.parametrize("n, want", [(3, False), (4, True)], ids=["at [3]", "over a b"])
            def test_over(self, gauge, tmp_path, n, want):
                (tmp_path / "x").write_text("y")
                assert gauge.over(n) is want
        """,
    )
    red, green = (f"tests/test_core.py::TestGauge::test_over[{name}]" for name in ("at [3]", "over a b"))
    result = project.repair([red], [green])
    mended(project, result, red)


def test_unittest_and_setup_methods(project):
    project.file("core.py", ADD)
    project.file(
        "tests/test_core.py",
        """
        import unittest
        import core

        class Case(unittest.TestCase):
            def setUp(self):
                self.two = 2

            def test_add(self):
                self.assertEqual(core.add(self.two, 3), 5)

        class TestOther:
            def setup_method(self):
                self.one = 1

            def test_add(self):
                assert core.add(self.one, 3) == 4
        """,
    )
    ids = ["tests/test_core.py::Case::test_add", "tests/test_core.py::TestOther::test_add"]
    mended(project, project.repair(ids), *ids)


def test_a_green_test_that_fails_among_the_others_without_any_edit_is_no_objection(project):
    project.file("core.py", ADD)
    project.file(
        "tests/test_core.py",
        """
        import random
        from core import add

        def test_add(): assert add(2, 3) == 5

        def test_drawn(): assert add(0, 0) == 0 and random.random() != random.Random(0).random()
        """,
    )
    # Every trial begins with the same random numbers, which this one does not like.
    result = project.repair(["tests/test_core.py::test_add"], ["tests/test_core.py::test_drawn"])
    mended(project, result, "tests/test_core.py::test_add")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "def add(a, b):\r\n\treturn a - b  # früher: plus\r\n",
            "def add(a, b):\r\n\treturn a + b  # früher: plus\r\n",
        ),
        ("\ufeff# ünïcode\ndef add(a, b):\n    return a - b\n", "\ufeff# ünïcode\ndef add(a, b):\n    return a + b\n"),
        ("def add(a, b):\n    é = '→'; return a - b", "def add(a, b):\n    é = '→'; return a + b"),
    ],
    ids=["crlf and tabs", "byte order mark", "no newline at the end"],
)
def test_everything_but_the_edit_stays_as_it_was(project, before, after):
    project.file("core.py", before.encode())
    project.file(
        "tests/test_core.py",
        "from core import add\ndef test_add(): assert add(2, 3) == 5\ndef test_b(): assert add(1, 3) == 4\n",
    )
    result = project.repair(["tests/test_core.py::test_add", "tests/test_core.py::test_b"])
    assert result.files == {"core.py": after}


def test_a_module_that_cannot_be_imported(project):
    project.file("pkg/__init__.py", "").file(
        "pkg/core.py", "LIMITS = (1, 2)\nTOP = LIMIT[1]\n\ndef top():\n    return TOP\n"
    )
    project.file("tests/test_core.py", "from pkg.core import top\ndef test_top(): assert top() == 2\n")
    result = project.repair(["tests/test_core.py"])
    assert "TOP = LIMITS[1]" in result.files["pkg/core.py"], result.note
    assert result.fixed >= {"tests/test_core.py"}
    assert not result.remaining


def test_a_misnamed_function_and_a_slip_behind_it(project):
    project.file("core.py", "def multiply(a, b):\n    return a + b\n")
    project.file(
        "tests/test_core.py",
        "from core import multipli\n"
        "def test_a(): assert multipli(2, 3) == 6\n"
        "def test_b(): assert multipli(4, 5) == 20\n",
    )
    result = project.repair(["tests/test_core.py"])
    assert result.files == {"core.py": "def multipli(a, b):\n    return a * b\n"}, result.note
    assert not result.remaining


def test_a_file_that_is_not_python_is_named_and_left_alone(project):
    project.file("broken.py", "def f(:\n").file("core.py", ADD)
    project.file("tests/test_core.py", "from core import add\ndef test_add(): assert add(2, 3) == 5\n")
    result = project.repair(["tests/test_core.py::test_add"])
    assert "broken.py" in result.note
    assert set(result.files) == {"core.py"}
