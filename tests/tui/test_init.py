"""``bitnet-tui init``: a file that says what is there, is read back, and never replaces one."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli
from click.testing import CliRunner
from support import CALC, make_repo

from engine import config
from tui.cli import cli, main
from tui.init import NAME, settings


@pytest.mark.parametrize(
    ("files", "allow"),
    [
        (["src/a/__init__.py", "src/a/b.py", "tests/test_b.py"], ("src/**/*.py",)),
        (["a/__init__.py", "b/__init__.py", "tests/__init__.py"], ("a/**/*.py", "b/**/*.py")),
        (["a.py", "test_a.py", "conftest.py", "setup.py"], ("a.py",)),
        (["a.py", "b/__init__.py", "docs/conf.py"], ("b/**/*.py", "a.py")),
        (["tests/test_a.py", "README.md"], ("**/*.py",)),
        (['a"b.py'], ('a"b.py',)),
    ],
)
def test_the_scope_is_the_production_code(files: list[str], allow: tuple[str, ...]) -> None:
    for gpu in (False, True):
        read = config.parse(tomli.loads(settings(files, gpu=gpu)), NAME)
        assert read.scope.allow == allow
        assert list(read.suites) == (["cpu", "gpu"] if gpu else ["cpu"])


def test_it_is_written_once_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpu = {"tests/test_gpu.py": "import pytest\n@pytest.mark.gpu\ndef test_gpu_a(): pass\n"}
    folder = make_repo(tmp_path / "r", CALC | gpu)
    shown = CliRunner().invoke(cli, ["init", "--print", str(folder)])
    assert not (folder / NAME).exists()
    assert CliRunner().invoke(cli, ["init", str(folder)]).exit_code == 0
    assert (folder / NAME).read_text(encoding="utf-8") == shown.output
    found, source = config.discover(folder)
    assert source == NAME
    assert found.suites["cpu"].args == ("tests",)
    assert found.suites["gpu"].optional
    with pytest.raises(SystemExit) as ended:
        main(["init", str(folder)])
    assert ended.value.code == 2
    assert "is there already" in capsys.readouterr().err
