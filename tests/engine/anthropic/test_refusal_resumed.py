"""The command against a server: a refusal costs nothing that is not taken up again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support import CALC, Command, leftovers

from tests.engine.anthropic.double import Double, Say, text


def test_a_run_the_model_refused_goes_on_with_another_provider(
    double: Double, repo: Callable[..., Path], command: Command
) -> None:
    double.script = [Say([text("No.")], stop="refusal")]
    folder = repo(CALC)
    server = {"ANTHROPIC_API_KEY": "sk-ant-nobody", "ANTHROPIC_BASE_URL": double.url}
    refused = command("--json", "--provider", "anthropic", cwd=folder, **server)
    assert refused.code == 6, refused.result
    assert refused.of("RunInterrupted")[0]["why"] == "the model refused: No."
    assert not leftovers(folder, refused.result["run"])
    assert command("resume", "--json", "--provider", "repair", cwd=folder).code == 0
