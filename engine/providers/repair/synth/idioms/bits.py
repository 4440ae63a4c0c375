"""Idioms of bits in plain integers."""

from __future__ import annotations

from engine.providers.repair.synth.idiom import idiom

IDIOMS = (
    idiom("popcount count ones bits set hamming weight bitcount", "n:I", 'return bin($n).count("1")', "N"),
    idiom("parity odd bits", "n:I", 'return bin($n).count("1") % 2', "N"),
    idiom("hamming distance differing bits", "a:I b:I", 'return bin($a ^ $b).count("1")', "N"),
    idiom("power two is pow2", "n:I", "return $n > 0 and $n & ($n - 1) == 0"),
    idiom("next power two round up pow2", "n:I", "return 1 << max(0, $n - 1).bit_length()", "N"),
    idiom("previous power two round down pow2", "n:I", "return 1 << ($n.bit_length() - 1)", "N"),
    idiom("log2 floor integer", "n:I", "return $n.bit_length() - 1", "N"),
    idiom("log2 ceil integer", "n:I", "return ($n - 1).bit_length()", "N"),
    idiom("bit length width needed", "n:I", "return $n.bit_length()", "N"),
    idiom("get bit test nth", "n:I at:I", "return $n >> $at & 1", "N"),
    idiom("has bit test set is", "n:I at:I", "return bool($n >> $at & 1)"),
    idiom("set bit", "n:I at:I", "return $n | 1 << $at", "N"),
    idiom("clear bit unset", "n:I at:I", "return $n & ~(1 << $at)", "N"),
    idiom("toggle flip bit", "n:I at:I", "return $n ^ 1 << $at", "N"),
    idiom("mask low bits ones", "count:I", "return (1 << $count) - 1", "N"),
    idiom("low bits mask keep", "n:I count:I", "return $n & ((1 << $count) - 1)", "N"),
    idiom("field bits extract", "n:I at:I count:I", "return $n >> $at & ((1 << $count) - 1)", "N"),
    idiom("lowest set bit isolate", "n:I", "return $n & -$n", "N"),
    idiom("trailing zeros ctz", "n:I", "return ($n & -$n).bit_length() - 1", "N"),
    idiom("low nibble", "byte:I", "return $byte & 15", "N"),
    idiom("high nibble", "byte:I", "return $byte >> 4", "N"),
    idiom("nibbles split byte", "byte:I", "return $byte & 15, $byte >> 4"),
    idiom("nibbles split byte high", "byte:I", "return $byte >> 4, $byte & 15"),
    idiom("pack nibbles join byte", "low:I high:I", "return ($low & 15) | ($high & 15) << 4", "N"),
    idiom("swap nibbles", "byte:I", "return ($byte & 15) << 4 | $byte >> 4", "N"),
    idiom(
        "signed two complement sign extend from",
        "n:I bits:I",
        "return $n - (1 << $bits) if $n >> ($bits - 1) & 1 else $n",
        "N",
    ),
    idiom("unsigned two complement to", "n:I bits:I", "return $n & ((1 << $bits) - 1)", "N"),
    idiom("signed int8 sign extend byte", "n:I", "return $n - 256 if $n > 127 else $n", "N"),
    idiom("signed int4 sign extend nibble", "n:I", "return $n - 16 if $n > 7 else $n", "N"),
    idiom("reverse bits", "n:I bits:I", 'return int(format($n, "b").zfill($bits)[::-1], 2)', "N"),
    idiom(
        "rotate left bits rotl", "n:I by:I bits:I", "return ($n << $by | $n >> ($bits - $by)) & ((1 << $bits) - 1)", "N"
    ),
    idiom(
        "rotate right bits rotr",
        "n:I by:I bits:I",
        "return ($n >> $by | $n << ($bits - $by)) & ((1 << $bits) - 1)",
        "N",
    ),
    idiom("gray code encode", "n:I", "return $n ^ $n >> 1", "N"),
    idiom("binary string bits to", "n:I", 'return format($n, "b")', "S"),
    idiom("binary string bits padded width to", "n:I bits:I", 'return format($n, "b").zfill($bits)', "S"),
    idiom("bits list lowest first unpack", "n:I bits:I", "return [$n >> i & 1 for i in range($bits)]", "L"),
    idiom(
        "number from bits list pack lowest first", "bits:L", "return sum(bit << i for i, bit in enumerate($bits))", "N"
    ),
    idiom("hex string to", "n:I", 'return format($n, "x")', "S"),
    idiom(
        "pack 2 bit codes two bits ternary byte",
        "codes:L",
        "return [sum(code << 2 * i for i, code in enumerate($codes[at : at + 4])) for at in range(0, len($codes), 4)]",
        "L",
    ),
    idiom(
        "pack 4 bit int4 nibbles codes byte",
        "codes:L",
        "return [sum(code << 4 * i for i, code in enumerate($codes[at : at + 2])) for at in range(0, len($codes), 2)]",
        "L",
    ),
    idiom(
        "unpack 2 bit codes two bits",
        "packed:Y",
        "return [byte >> shift & 3 for byte in $packed for shift in (0, 2, 4, 6)]",
        "L",
    ),
    idiom(
        "unpack 4 bit int4 nibbles",
        "packed:Y",
        "return [byte >> shift & 15 for byte in $packed for shift in (0, 4)]",
        "L",
    ),
)
