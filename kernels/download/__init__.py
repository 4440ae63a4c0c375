"""Fetching model files: resumed where they were cut, kept only where their hash is the one that was asked for."""

from kernels.download.errors import DownloadError
from kernels.download.transfer import Wanted, fetch

__all__ = ["DownloadError", "Wanted", "fetch"]
