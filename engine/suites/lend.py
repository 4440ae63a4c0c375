"""What the target's interpreter borrows for a run: our plug-in and pytest-json-report, on its path only.

Nothing is installed into the target's environment; the copies live in the run's scratch folder.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from engine.errors import EnvironmentFailure

PLUGIN = "bitnet_tui_plugin"
_OURS = (PLUGIN, "bitnet_tui_control", "bitnet_tui_ran", "bitnet_tui_wires", "bitnet_tui_worlds")
_CHILD = Path(__file__).parent / "child"
_LENT = ("pytest-json-report", "pytest-metadata")
_IGNORE = shutil.ignore_patterns("__pycache__")


def lend(folder: Path) -> Path:
    """Fill ``folder`` with what the child may import, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _OURS:
        shutil.copy2(_CHILD / f"{name}.py", folder)
    for name in _LENT:
        _copy_distribution(name, folder)
    return folder


def _copy_distribution(name: str, folder: Path) -> None:
    try:
        dist = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise EnvironmentFailure(
            f"bitnet-tui's own installation lacks {name}", hint="install bitnet-tui again"
        ) from None
    tops = {Path(str(f)).parts[0] for f in dist.files or () if ".." not in Path(str(f)).parts}
    for top in tops - {"__pycache__"}:
        source = Path(str(dist.locate_file(top)))
        if source.is_dir():
            # Entry points come with the .dist-info folder, so pytest finds the plug-in by itself.
            shutil.copytree(source, folder / top, ignore=_IGNORE, dirs_exist_ok=True)
        elif source.suffix == ".py":
            shutil.copy2(source, folder)
