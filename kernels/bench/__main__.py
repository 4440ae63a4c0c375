"""``python -m kernels.bench`` is ``python -m kernels bench``."""

from __future__ import annotations

import sys

from kernels.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
