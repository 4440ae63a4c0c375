"""Idioms of quantised weights: scales, rounding and saturating, ternary values, packing into bytes."""

from __future__ import annotations

from collections.abc import Iterator

from engine.providers.repair.synth.idiom import Idiom, idiom

_ROWS = "axis=-1, keepdims=True"
_AWAY = "np.sign({0}) * np.floor(np.abs({0}) + 0.5)"
_WIDTHS = (  # words, lowest, highest, type
    ("int8", "-127", "127", "int8"),
    ("int8", "-128", "127", "int8"),
    ("uint8 affine asymmetric", "0", "255", "uint8"),
    ("int4", "-7", "7", "int8"),
    ("int4", "-8", "7", "int8"),
    ("uint4 int4 codes", "0", "15", "uint8"),
    ("int2 2 bit codes", "0", "3", "uint8"),
)


def _scales() -> Iterator[Idiom]:
    named = "scale scales absmax symmetric largest magnitude maximum"
    for word, top in (("int8", "127"), ("int4", "7"), ("", "1")):
        share = f" / {top}" if top != "1" else ""
        yield idiom(f"{named} {word} tensor", "w:A", f"return np.abs($w).max(){share}", "N")
        yield idiom(f"{named} {word} row rows channel", "w:A", f"return np.abs($w).max({_ROWS}){share}", "A")
        yield idiom(f"{named} {word} row rows channel", "w:A", f"return np.abs($w).max(axis=-1){share}", "A")
        yield idiom(f"{named} {word} column columns", "w:A", f"return np.abs($w).max(axis=0){share}", "A")
        yield idiom(
            f"{named} {word} zero safe one",
            "w:A",
            f"top = np.abs($w).max()\nreturn top / {top} if top > 0 else 1.0",
            "N",
        )
        yield idiom(
            f"{named} {word} block group",
            "w:A block:I",
            f"return np.abs($w.reshape(-1, $block)).max(axis=1){share}",
            "A",
        )
        yield idiom(
            f"{named} {word} block group",
            "w:A block:I",
            f"return np.abs($w.reshape(-1, $block)).max(axis=1, keepdims=True){share}",
            "A",
        )
    yield idiom(f"{named} bits", "w:A bits:I", "return np.abs($w).max() / (2 ** ($bits - 1) - 1)", "N")
    yield idiom("absmean mean magnitude scale ternary bitnet", "w:A", "return np.abs($w).mean()", "N")
    yield idiom("absmean mean magnitude scale row rows", "w:A", f"return np.abs($w).mean({_ROWS})", "A")
    yield idiom(
        "affine asymmetric scale zero point range uint8 parameters",
        "w:A",
        "scale = ($w.max() - $w.min()) / 255\nreturn scale, int(np.round(-$w.min() / scale))",
    )
    yield idiom(
        "affine asymmetric scale zero point range uint8 parameters",
        "low:N high:N",
        "scale = ($high - $low) / 255\nreturn scale, round(-$low / scale)",
    )
    yield idiom("qmax largest levels signed bits", "bits:I", "return 2 ** ($bits - 1) - 1", "N")
    yield idiom("qmax largest levels unsigned bits", "bits:I", "return 2**$bits - 1", "N")
    yield idiom("qmin lowest signed bits", "bits:I", "return -(2 ** ($bits - 1))", "N")
    yield idiom("range qmin qmax signed bits", "bits:I", "return -(2 ** ($bits - 1)), 2 ** ($bits - 1) - 1")
    yield idiom("levels count bits", "bits:I", "return 2**$bits", "N")


def _quantize() -> Iterator[Idiom]:
    named = "quantize quantise quant round saturate"
    for word, low, high, kind in _WIDTHS:
        for rounded in ("np.round({0})", _AWAY):
            half = " half away zero" if rounded is _AWAY else " nearest rint"
            divided, times = rounded.format("($x / $scale)"), rounded.format("($x * $scale)")
            divided = divided.replace("np.round(($x / $scale))", "np.round($x / $scale)")
            times = times.replace("np.round(($x * $scale))", "np.round($x * $scale)")
            cast = f".astype(np.{kind})"
            yield idiom(f"{named}{half} {word}", "x:A scale:X", f"return np.clip({divided}, {low}, {high}){cast}", "A")
            yield idiom(
                f"{named}{half} {word} multiply", "x:A scale:X", f"return np.clip({times}, {low}, {high}){cast}", "A"
            )
            yield idiom(
                f"{named}{half} {word} zero point shift",
                "x:A scale:X zero:X",
                f"return np.clip({divided} + $zero, {low}, {high}){cast}",
                "A",
            )
        if low.startswith("-"):
            top = high
            for how, axis in ((" tensor", ""), (" row rows channel", _ROWS)):
                yield idiom(
                    f"{named} {word} absmax scale{how}",
                    "x:A",
                    f"scale = np.abs($x).max({axis}) / {top}\n"
                    f"return np.clip(np.round($x / scale), {low}, {high}).astype(np.{kind}), scale",
                )
            yield idiom(
                f"{named} {word} absmax scale zero safe",
                "x:A",
                f"top = np.abs($x).max()\nscale = top / {top} if top > 0 else 1.0\n"
                f"return np.clip(np.round($x / scale), {low}, {high}).astype(np.{kind}), scale",
            )
            yield idiom(
                f"{named} {word} absmax scale block group",
                "x:A block:I",
                f"rows = $x.reshape(-1, $block)\nscale = np.abs(rows).max(axis=1, keepdims=True) / {top}\n"
                f"return np.clip(np.round(rows / scale), {low}, {high}).astype(np.{kind}), scale",
            )
    yield idiom(
        f"{named} bits symmetric",
        "x:A scale:X bits:I",
        "top = 2 ** ($bits - 1) - 1\nreturn np.clip(np.round($x / $scale), -top, top).astype(np.int32)",
        "A",
    )
    yield idiom(f"{named} scalar int8", "x:F scale:F", "return max(-127, min(127, round($x / $scale)))", "N")
    yield idiom(
        f"{named} scalar zero point uint8",
        "x:F scale:F zero:I",
        "return max(0, min(255, round($x / $scale) + $zero))",
        "N",
    )
    yield idiom("round half away zero", "x:A", f"return {_AWAY.format('$x')}", "A")
    yield idiom("round half even nearest rint", "x:A", "return np.rint($x)", "A")
    yield idiom("stochastic fake quantize round trip", "x:A scale:X", "return np.round($x / $scale) * $scale", "A")
    yield idiom(
        "fake quantize dequantize round trip int8",
        "x:A scale:X",
        "return np.clip(np.round($x / $scale), -127, 127) * $scale",
        "A",
    )


def _dequantize() -> Iterator[Idiom]:
    named = "dequantize dequantise dequant restore back float"
    yield idiom(named, "q:A scale:X", "return $q.astype(np.float32) * $scale", "A")
    yield idiom(named, "q:A scale:X", "return $q * $scale", "A")
    yield idiom(f"{named} divide", "q:A scale:X", "return $q.astype(np.float32) / $scale", "A")
    yield idiom(
        f"{named} zero point affine", "q:A scale:X zero:X", "return ($q.astype(np.float32) - $zero) * $scale", "A"
    )
    yield idiom(
        f"{named} zero point affine",
        "q:A scale:X zero:X",
        "return (($q.astype(np.int32) - $zero) * $scale).astype(np.float32)",
        "A",
    )
    yield idiom(
        f"{named} zero point affine wide", "q:A scale:X zero:X", "return ($q.astype(np.int32) - $zero) * $scale", "A"
    )
    yield idiom(f"{named} row rows channel", "q:A scale:A", "return $q.astype(np.float32) * $scale[:, None]", "A")
    yield idiom(
        f"{named} block group",
        "q:A scale:A block:I",
        "return ($q.reshape(-1, $block).astype(np.float32) * $scale.reshape(-1, 1)).reshape($q.shape)",
        "A",
    )
    yield idiom(f"{named} scalar", "q:N scale:N", "return $q * $scale", "N")
    yield idiom(f"{named} scalar zero point", "q:N scale:N zero:N", "return ($q - $zero) * $scale", "N")


def _ternary() -> Iterator[Idiom]:
    named = "ternary ternarize ternarise bitnet quantize absmean weights"
    for body in ("np.clip(np.round($w / scale), -1, 1).astype(np.int8)",):
        yield idiom(named, "w:A", f"scale = np.abs($w).mean()\nreturn {body}, scale")
        yield idiom(f"{named} eps", "w:A eps:F", f"scale = np.abs($w).mean() + $eps\nreturn {body}, scale")
        yield idiom(f"{named} rows row", "w:A", f"scale = np.abs($w).mean({_ROWS})\nreturn {body}, scale")
        yield idiom(named, "w:A", f"scale = np.abs($w).mean()\nreturn {body}", "A")
    yield idiom(
        f"{named} scale given", "w:A scale:X", "return np.clip(np.round($w / $scale), -1, 1).astype(np.int8)", "A"
    )
    yield idiom(
        f"{named} threshold", "w:A t:F", "return np.where(np.abs($w) > $t, np.sign($w), 0).astype(np.int8)", "A"
    )
    yield idiom("sign binary binarize binarise one bit", "w:A", "return np.where($w >= 0, 1, -1).astype(np.int8)", "A")
    yield idiom("sign signs", "w:A", "return np.sign($w).astype(np.int8)", "A")
    yield idiom("ternary codes encode shift unsigned", "t:A", "return ($t + 1).astype(np.uint8)", "A")
    yield idiom("ternary codes decode shift signed", "c:A", "return $c.astype(np.int8) - 1", "A")
    yield idiom(
        "trits base three pack 5 byte",
        "t:A",
        "return (($t.reshape(-1, 5) + 1) * np.array([1, 3, 9, 27, 81])).sum(axis=1).astype(np.uint8)",
        "A",
    )


def _packing() -> Iterator[Idiom]:
    pack, unpack = "pack packed bytes", "unpack packed bytes codes"
    for bits, words in ((2, "2 two bit pack2 int2 codes four"), (4, "4 four bit nibbles int4 pack4 two")):
        lanes, top = 8 // bits, (1 << bits) - 1
        parts = " | ".join(f"c[:, {n}] << {bits * n}" if n else "c[:, 0]" for n in range(lanes))
        high = " | ".join(
            f"c[:, {n}] << {bits * (lanes - 1 - n)}" if n < lanes - 1 else f"c[:, {n}]" for n in range(lanes)
        )
        for order, said in ((parts, "low lowest first"), (high, "high highest first")):
            taken = f"c = $codes.reshape(-1, {lanes}).astype(np.uint8) & {top}\nreturn "
            yield idiom(f"{pack} {words} {said}", "codes:A", f"{taken}{order}", "A")
            yield idiom(
                f"{pack} {words} {said} pad tail",
                "codes:A",
                f"c = np.pad($codes, (0, -len($codes) % {lanes})).reshape(-1, {lanes}).astype(np.uint8) & {top}\n"
                f"return {order}",
                "A",
            )
            yield idiom(
                f"{pack} {words} {said} rows last axis",
                "codes:A",
                f"c = $codes.reshape(*$codes.shape[:-1], -1, {lanes}).astype(np.uint8) & {top}\nreturn "
                + order.replace("c[:, ", "c[..., "),
                "A",
            )
        for lane_order, said in ((range(lanes), "low lowest first"), (range(lanes - 1, -1, -1), "high highest first")):
            split = f"$packed[..., None] >> np.array({[bits * n for n in lane_order]}, np.uint8) & {top}"
            names = f"{unpack} {words} {said} unpack{bits}"
            yield idiom(names, "packed:A", f"return ({split}).reshape(-1)", "A")
            yield idiom(f"{names} count length", "packed:A count:I", f"return ({split}).reshape(-1)[:$count]", "A")
            yield idiom(
                f"{names} rows last axis", "packed:A", f"return ({split}).reshape(*$packed.shape[:-1], -1)", "A"
            )
            signed = f"c = ({split}).reshape(-1).astype(np.int8)\n"
            yield idiom(
                f"{names} signed sign extend",
                "packed:A",
                f"{signed}return np.where(c > {top // 2}, c - {top + 1}, c).astype(np.int8)",
                "A",
            )
            if bits == 2:
                yield idiom(f"{names} ternary signed", "packed:A", f"{signed}return c - 1", "A")
                yield idiom(
                    f"{names} ternary signed count", "packed:A count:I", f"{signed}return (c - 1)[:$count]", "A"
                )
        if bits == 2:
            shifted = f"c = ($codes + 1).reshape(-1, {lanes}).astype(np.uint8)\nreturn {parts}"
            yield idiom(f"{pack} {words} ternary weights", "codes:A", shifted, "A")
    yield idiom(
        f"{pack} bits one 1 bit signs booleans", "codes:A", 'return np.packbits($codes, bitorder="little")', "A"
    )
    yield idiom(f"{pack} bits one 1 bit signs booleans", "codes:A", "return np.packbits($codes)", "A")
    yield idiom(f"{unpack} bits one 1 bit", "packed:A", 'return np.unpackbits($packed, bitorder="little")', "A")
    yield idiom(f"{unpack} bits one 1 bit", "packed:A", "return np.unpackbits($packed)", "A")
    yield idiom("popcount count ones bits set", "packed:A", "return np.unpackbits($packed.astype(np.uint8)).sum()", "N")
    yield idiom("low nibble", "packed:A", "return $packed & 15", "A")
    yield idiom("high nibble", "packed:A", "return $packed >> 4", "A")
    yield idiom(
        "int8 matmul dot accumulate int32 integer", "a:A b:A", "return $a.astype(np.int32) @ $b.astype(np.int32)", "A"
    )
    yield idiom(
        "int8 matmul dot scaled dequantize",
        "a:A b:A scale:X",
        "return ($a.astype(np.int32) @ $b.astype(np.int32)).astype(np.float32) * $scale",
        "A",
    )
    yield idiom("size bytes packed needed bits storage", "count:I bits:I", "return ($count * $bits + 7) // 8", "N")


IDIOMS = (*_scales(), *_quantize(), *_dequantize(), *_ternary(), *_packing())
