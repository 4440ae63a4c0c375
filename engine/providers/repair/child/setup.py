"""What the parent asked of this process, read once from the file it names, which no one else gets to see."""

from __future__ import annotations

import json
import os
from typing import Any

with open(os.environ.pop("BITNET_TUI_REPAIR"), encoding="utf-8") as _file:
    SETUP: dict[str, Any] = json.load(_file)
SHORT = {os.path.join(SETUP["root"], name): name for name in SETUP.get("editable", ())}
REAL = {os.path.realpath(path): name for path, name in SHORT.items()}
