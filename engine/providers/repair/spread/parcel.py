"""The project as one piece that can be sent: packed once a search, unpacked once a worker."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

from engine.providers.repair.scratch import unwanted


def packed(root: Path) -> bytes:
    """Plain files of a project, and links that stay inside it, in an order that depends on nothing else."""
    held = io.BytesIO()
    real = root.resolve()
    # The time of packing stands in the head of a gzip file; by its digest a parcel is known again.
    with (
        gzip.GzipFile(fileobj=held, mode="wb", compresslevel=1, mtime=0) as thin,
        tarfile.open(fileobj=thin, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for folder, names, files in os.walk(real):
            left_out = unwanted(folder, [*names, *files])
            names[:] = sorted(name for name in names if name not in left_out)
            for name in sorted({*files, *names} - left_out):
                path = Path(folder) / name
                if _stays(path, real):
                    tar.add(path, path.relative_to(real).as_posix(), recursive=False)
    return held.getvalue()


def digest(parcel: bytes) -> str:
    """What a parcel is known by."""
    return hashlib.sha256(parcel).hexdigest()[:16]


def unpack(parcel: bytes, into: Path) -> None:
    """Make the project again."""
    with tarfile.open(fileobj=io.BytesIO(parcel), mode="r:gz") as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(into, filter="data")
        else:  # Python before 3.11.4
            tar.extractall(into, [member for member in tar if _harmless(member)])


def _harmless(member: tarfile.TarInfo) -> bool:
    """Whether it is a file, folder or link that was packed here: below the root, and leading nowhere else."""
    aims = [member.name] + [f"{member.name}/../{member.linkname}"] * member.issym()
    inside = not any(os.path.normpath(aim).startswith("..") or aim.startswith("/") for aim in aims)
    absolute = member.issym() and member.linkname.startswith("/")
    return inside and not absolute and (member.isfile() or member.isdir() or member.issym())


def _stays(path: Path, root: Path) -> bool:
    if path.is_symlink():
        target = Path(os.path.realpath(path))
        return not os.path.isabs(os.readlink(path)) and (target == root or root in target.parents)
    return path.is_dir() or path.is_file()
