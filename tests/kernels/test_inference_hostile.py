"""Model files with wrong bytes: refused in words or proven harmless, in bounded memory and time; never a crash."""

import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"
JARGON = Path(__file__).parents[2] / "examples" / "jargon" / "jargon.gguf"

CHILD = """
import random, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
from kernels.errors import KernelError
from kernels.gguf import ModelFile
from kernels.model import Model
from kernels.tokenizer import Tokenizer

source, target, first, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
good, refused, run = source.read_bytes(), 0, 0
header = min(each.offset for each in ModelFile(source).tensors.values())
NUMBERS = (0, 1, 255, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1, 2**40)
for seed in range(first, last):
    print(seed, file=sys.stderr, flush=True)  # the last one said is the one that killed us
    pick = random.Random(seed)
    data = bytearray(good)
    for _ in range(pick.choice((1, 1, 2, 8))):
        where = pick.randrange(min(len(data), header) if pick.random() < 0.8 else len(data))
        kind = pick.randrange(4)
        if kind == 0:
            data[where] ^= 1 << pick.randrange(8)
        elif kind == 1:
            number = pick.choice(NUMBERS).to_bytes(8, "little")[: pick.choice((4, 8))]
            data[where : where + len(number)] = number
        elif kind == 2:
            other = pick.randrange(header)
            data[where : where + 16] = data[other : other + 16]
        else:
            del data[pick.randrange(len(data)) :]
            data += b"" if data else b"G"
    target.write_bytes(data)
    try:
        file = ModelFile(target)
    except KernelError:
        refused += 1
        continue
    for what in (Tokenizer.of, lambda file: Model(file, "numpy")):
        try:
            made = what(file)
            if isinstance(made, Tokenizer):
                made.decode(made.encode("Hello <|end|> 123 \\U0001f642")[:50])
                made.decode(range(min(300, len(made))))
            else:
                logits = made.forward([0, 1 % made.sizes.vocabulary], made.new_cache(2))
                assert logits.shape == (2, made.sizes.vocabulary)
            run += 1
        except KernelError:
            refused += 1
print(refused, run)
"""


@pytest.mark.slow
@pytest.mark.parametrize("source", [DATA / "tiny-i2_s.gguf", DATA / "tiny-TQ2_0-bitnet.gguf", JARGON])
def test_inference_of_hostile_files_is_refused_or_harmless(source, tmp_path):
    command = [sys.executable, "-c", CHILD, str(source), str(tmp_path / "a.gguf"), "0", "150"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    refused, run = map(int, done.stdout.split())
    assert refused > 30
    assert run > 10
