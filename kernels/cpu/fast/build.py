"""From a tier to machine code that has been tried; ``python -m kernels.cpu.fast.build TIER`` writes it to stdout.

LLVM ends the process where it cannot go on, and so does code the CPU does not have: `build` runs in a child, always.
"""

from __future__ import annotations

import sys

import llvmlite.binding as llvm
from llvmlite import ir

from kernels.cpu.fast import attend, calls, dense, dense_int8, play, product, rounding, sweeps, team, tokens
from kernels.cpu.fast.tiers import Tier, named


def source(tier: Tier) -> str:
    """The tier's functions in LLVM's language."""
    module = ir.Module("kernels")
    team.emit(module, tier)
    tokens.emit(module)
    product.emit(module, tier)
    calls.emit(module, tier)
    sweeps.emit(module)
    dense.emit(module, tier)
    dense_int8.emit(module, tier)
    rounding.emit(module, tier)
    attend.emit(module, tier)
    play.emit(module)
    return str(module)


def assemble(tier: Tier, triple: str = "", text: bool = False) -> bytes:
    """Compile a tier, for this machine or any LLVM knows.

    Parameters
    ----------
    triple : the machine, as in ``aarch64-linux-gnu``; empty: this one.
    text : give assembly to read instead of an object file.
    """
    return compiled(source(tier), tier, triple, text)


def compiled(written: str, tier: Tier, triple: str = "", text: bool = False) -> bytes:
    """Compile a module written in LLVM's language for the features of a tier."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = triple or llvm.get_process_triple()
    machine = llvm.Target.from_triple(triple).create_target_machine(
        features=tier.features, opt=3, reloc="pic", codemodel="small"
    )
    module = llvm.parse_assembly(written)
    module.triple, module.data_layout = triple, str(machine.target_data)
    module.verify()
    return machine.emit_assembly(module).encode() if text else bytes(machine.emit_object(module))


def main() -> None:
    """Compile the tier named on the command line, try it, and only then hand it out."""
    from kernels.cpu.fast.host import denied, fitted
    from kernels.cpu.fast.load import load
    from kernels.cpu.fast.trial import differs

    tier = fitted(named(sys.argv[1]))
    why = denied(tier)
    if why:
        sys.exit(f"{tier.name}: {why}")
    code = assemble(tier)
    wrong = differs(load(code), tier)
    if wrong:
        sys.exit(f"{tier.name} computes wrong numbers: {wrong}")
    sys.stdout.buffer.write(code)


if __name__ == "__main__":
    main()
