"""A Chromium for tests: the machine's own, or the one of the npm package @sparticuz/chromium, unpacked once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / ".venv" / "node_modules" / "@sparticuz" / "chromium" / "bin"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HINT = "CHROMIUM=PATH names one, or: npm install --no-save --prefix .venv @sparticuz/chromium"
UNPACK = """
const zlib = require("zlib"), fs = require("fs"), [from, to] = process.argv.slice(1);
for (const name of ["chromium", "al2023.tar", "swiftshader.tar"])
  fs.writeFileSync(`${to}/${name}`, zlib.brotliDecompressSync(fs.readFileSync(`${from}/${name}.br`)));
"""
# That build is made for machines without graphics, libraries of a desktop and room for more than one process.
FLAGS = "--single-process --no-zygote --use-gl=angle --use-angle=swiftshader"


def browser() -> str:
    """A Chromium of this machine; a test that needs one is skipped where there is none."""
    found = os.environ.get("CHROMIUM") or next((p for n in NAMES if (p := shutil.which(n))), "")
    if not found and (PACKAGE / "chromium.br").is_file() and shutil.which("node"):
        found = str(_unpacked())
    if not found:
        pytest.skip(f"missing-tool: no Chromium; {HINT}")
    return found


def _unpacked() -> Path:
    """The program of the package, beside it; made under another name first, as several workers may come at once."""
    there = PACKAGE / "unpacked"
    program = there / "run"
    if not program.is_file():
        fresh = PACKAGE / f"unpacked-{os.getpid()}"
        fresh.mkdir()
        subprocess.run(["node", "-e", UNPACK, str(PACKAGE), str(fresh)], check=True)
        for archive in fresh.glob("*.tar"):
            subprocess.run(["tar", "-xf", str(archive), "-C", str(fresh)], check=True)
            archive.unlink()
        (fresh / "chromium").chmod(0o755)
        text = f'#!/bin/sh\nLD_LIBRARY_PATH="{there}/lib" exec "{there}/chromium" {FLAGS} "$@"\n'
        (fresh / "run").write_text(text, encoding="utf-8")
        (fresh / "run").chmod(0o755)
        try:
            fresh.rename(there)
        except OSError:  # another worker was faster
            shutil.rmtree(fresh)
    return program
