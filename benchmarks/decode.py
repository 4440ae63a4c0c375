"""A model of 2B-4T's shape with random weights: load, prefill and decode, beside memory's speed and other programs.

Run: ``python benchmarks/decode.py [--small | --model FILE] [--threads 1,2] [--rounds N]``, and for each other program
``--peer NAME=LLAMA-BENCH:MODEL``. The file (1.2 GB) is made once, in the user's cache. Every figure is of a process of
its own, alternating with the others.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kernels.gguf import ModelFile, NewTensor, write
from kernels.gguf.bitnet import sizes

SHAPE = {"hidden": 2560, "feed_forward": 6912, "layers": 30, "heads": 20, "kv_heads": 5, "vocabulary": 128_256}
SMALL = {"hidden": 512, "feed_forward": 1536, "layers": 4, "heads": 8, "kv_heads": 2, "vocabulary": 8192}
PREFILL, DECODE = 128, 32
PIECE = 2**22
CHILD = """
import json, resource, sys, time
began = time.perf_counter()
from kernels.model import Model
path, threads, head, prefill, decode = sys.argv[1], *map(int, sys.argv[2:3]), sys.argv[3], *map(int, sys.argv[4:6])
model = Model.load(path, "fast", threads=threads, head=head)
cache = model.new_cache(prefill + decode + 8)
model.forward([1], cache, last_only=True)
first = time.perf_counter() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
now = [line.split() for line in open("/proc/self/smaps_rollup") if line.startswith(("Rss", "Anonymous"))]
cache.truncate(0)
start = time.perf_counter()
model.forward(list(range(2, 2 + prefill)), cache, last_only=True)
filled = time.perf_counter() - start
times = []
for token in range(decode):
    start = time.perf_counter()
    model.forward([token], cache, last_only=True)
    times.append(time.perf_counter() - start)
times.sort()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"first": first, "prefill": prefill / filled, "decode": 1 / times[len(times) // 2], "peak": peak,
                  "now": {name.rstrip(':'): int(size) * 1024 for name, size, _ in now}}))
"""


def made(path: Path, shape: dict[str, int]) -> Path:
    """Random ternary weights, a float16 embedding: what a file of that shape holds. Made on disk, a piece at a time."""
    if path.exists():
        return path
    hidden, wide, kv = shape["hidden"], shape["feed_forward"], shape["hidden"] // shape["heads"] * shape["kv_heads"]
    prefix = "bitnet-b1.58."
    metadata = {
        "general.architecture": "bitnet-b1.58", "general.file_type": 40, "general.quantization_version": 2,
        prefix + "vocab_size": shape["vocabulary"], prefix + "context_length": 4096,
        prefix + "embedding_length": hidden, prefix + "block_count": shape["layers"],
        prefix + "feed_forward_length": wide, prefix + "rope.dimension_count": hidden // shape["heads"],
        prefix + "attention.head_count": shape["heads"], prefix + "attention.head_count_kv": shape["kv_heads"],
        prefix + "attention.layer_norm_rms_epsilon": 1e-5, prefix + "rope.freq_base": 500_000.0,
    }  # fmt: skip
    matrices = {
        "attn_q": (hidden, hidden), "attn_k": (kv, hidden), "attn_v": (kv, hidden), "attn_output": (hidden, hidden),
        "ffn_gate": (wide, hidden), "ffn_up": (wide, hidden), "ffn_down": (hidden, wide),
    }  # fmt: skip
    norms = {"attn_norm": hidden, "attn_sub_norm": hidden, "ffn_norm": hidden, "ffn_sub_norm": wide}
    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"writing {path} …", file=sys.stderr)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:

        def on_disk(name: str, size: int, piece: Callable[[int], np.ndarray], tail: bytes = b"") -> np.ndarray:
            with open(Path(folder, name), "wb") as file:
                for start in range(0, size, PIECE):
                    file.write(piece(min(PIECE, size - start)).data)
                file.write(tail)
            return np.memmap(file.name, np.uint8, "r")

        def floats(count: int) -> np.ndarray:
            return random.standard_normal(count // 2, np.float32).astype(np.float16).view(np.uint8)

        def codes(count: int) -> np.ndarray:
            fields = random.integers(0, 3, (count, 4), np.uint8)
            return fields[:, 0] << 6 | fields[:, 1] << 4 | fields[:, 2] << 2 | fields[:, 3]

        def matrix(name: str, rows: int, cols: int) -> NewTensor:
            tail = struct.pack("<f28x", 0.02)
            return NewTensor(name, on_disk(name, rows * cols // 4, codes, tail), (rows, cols), 36)

        rows = shape["vocabulary"], hidden
        embedding = on_disk("token_embd.weight", 2 * rows[0] * rows[1], floats)
        tensors = [NewTensor("token_embd.weight", embedding, rows, 1)]
        for layer in range(shape["layers"]):
            for name, size in norms.items():
                tensors.append(NewTensor(f"blk.{layer}.{name}.weight", np.ones(size, np.float32)))
            for name, lengths in matrices.items():
                tensors.append(matrix(f"blk.{layer}.{name}.weight", *lengths))
        tensors.append(NewTensor("output_norm.weight", np.ones(hidden, np.float32)))
        return Path(write(path, metadata, tensors))


def ours(path: Path, threads: int, head: str) -> dict:
    with path.open("rb") as file:  # warm: a system may have given the memory of what lay idle to others
        while file.read(PIECE):
            pass
    argv = [sys.executable, "-c", CHILD, str(path), str(threads), head, str(PREFILL), str(DECODE)]
    return json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def theirs(program: str, model: str, threads: int) -> dict:
    argv = [program, "-m", model, "-t", str(threads), "-p", str(PREFILL), "-n", str(DECODE), "-r", "1", "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{program} ended with {done.returncode}: {done.stderr.strip().rpartition(chr(10))[2]}")
    found = {"prefill" if each["n_prompt"] else "decode": each["avg_ts"] for each in json.loads(done.stdout)}
    if set(found) != {"prefill", "decode"} or not all(speed > 0 for speed in found.values()):
        sys.exit(f"{program} gives no speeds: {found}")
    return found


def read_speed(threads: int) -> float:
    """Bytes a second this machine reads, by the bench's probe."""
    from kernels.backend import backend_report
    from kernels.bench.measure import COLD_BYTES
    from kernels.bench.probes import probes
    from kernels.cpu.fast.host import fitted
    from kernels.cpu.fast.tiers import named

    with probes(fitted(named(backend_report("fast").tier)), threads, COLD_BYTES) as measured:
        return statistics.median(measured.read(4 * 2**20) for _ in range(40))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bitnet-kernels"
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", type=Path)
    which.add_argument("--small", action="store_true", help="another shape, of 11 MB: does all of it work")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=LLAMA-BENCH:MODEL")
    given = parser.parse_args()
    name, shape = ("small-random.gguf", SMALL) if given.small else ("2b-4t-random.gguf", SHAPE)
    path = given.model or made(cache / name, shape)
    size, each = path.stat().st_size, sizes(ModelFile(path))
    read = {"f16": size, "int8": size - each.vocabulary * (each.hidden - 4)}  # a token reads all but what is halved
    peers = [(name, *where.rpartition(":")[::2]) for name, _, where in (one.partition("=") for one in given.peer)]
    for threads in map(int, given.threads.split(",")):
        found: dict[str, list[dict]] = {}
        speed = []
        for _ in range(given.rounds):
            for kind in ("f16", "int8"):
                found.setdefault(f"head {kind}", []).append(ours(path, threads, kind))
            for name, program, model in peers:
                found.setdefault(name, []).append(theirs(program, model, threads))
            speed.append(read_speed(threads))
        limit = statistics.median(speed)
        print(f"{threads} thread{'s' * (threads > 1)}; memory {limit / 1e9:.1f} GB/s; {time.strftime('%F')}")
        for name, all_ in found.items():
            middle = {key: statistics.median(one[key] for one in all_) for key in all_[0] if key != "now"}
            line = f"  {name:24} prefill {middle['prefill']:6.1f} tok/s  decode {middle['decode']:5.1f} tok/s"
            if "first" in middle:
                most = limit / read[name.split()[1]]
                line += f" ({middle['decode'] / most:.0%} of {most:.1f})  first token {middle['first']:.2f} s"
                line += f"  peak {middle['peak'] / size:.2f} x file, after load {all_[0]['now']['Rss'] / size:.2f}"
            print(line, flush=True)
    for name in ("bitnet.cpp", "llama.cpp", "ik_llama.cpp"):
        if name not in {peer[0].partition(" ")[0] for peer in peers}:
            print(f"  peer {name} is absent (--peer {name}=LLAMA-BENCH:MODEL)")


if __name__ == "__main__":
    main()
