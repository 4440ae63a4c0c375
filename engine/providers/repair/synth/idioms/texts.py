"""Idioms of text."""

from __future__ import annotations

from engine.providers.repair.synth.idiom import idiom

_VOWELS = '"aeiouAEIOU"'

IDIOMS = (
    idiom("palindrome reads both ways mirror", "text:Q", "return $text == $text[::-1]"),
    idiom(
        "palindrome letters ignore case punctuation",
        "text:S",
        "letters = [c.lower() for c in $text if c.isalnum()]\nreturn letters == letters[::-1]",
    ),
    idiom("reverse reversed backwards", "text:Q", "return $text[::-1]"),
    idiom("reverse words order", "text:S", 'return " ".join($text.split()[::-1])', "S"),
    idiom("initials acronym first letters", "text:S", 'return "".join(word[0] for word in $text.split()).upper()', "S"),
    idiom("initials first letters", "text:S", 'return "".join(word[0] for word in $text.split())', "S"),
    idiom("slug slugify hyphen url dash", "text:S", 'return "-".join($text.lower().split())', "S"),
    idiom("snake case underscore", "text:S", 'return "_".join($text.lower().split())', "S"),
    idiom(
        "snake case camel to underscore",
        "text:S",
        'return "".join("_" + c.lower() if c.isupper() and at else c.lower() for at, c in enumerate($text))',
        "S",
    ),
    idiom(
        "camel case snake to",
        "text:S",
        'first, *rest = $text.split("_")\nreturn first + "".join(word.title() for word in rest)',
        "S",
    ),
    idiom("pascal case camel snake to", "text:S", 'return "".join(word.title() for word in $text.split("_"))', "S"),
    idiom("title capitalize words", "text:S", 'return " ".join(word.capitalize() for word in $text.split())', "S"),
    idiom("collapse whitespace normalise spaces squeeze", "text:S", 'return " ".join($text.split())', "S"),
    idiom("words count number", "text:S", "return len($text.split())", "N"),
    idiom("vowels count number", "text:S", f"return sum(c in {_VOWELS} for c in $text)", "N"),
    idiom("vowels remove without", "text:S", f'return "".join(c for c in $text if c not in {_VOWELS})', "S"),
    idiom("digits only keep", "text:S", 'return "".join(c for c in $text if c.isdigit())', "S"),
    idiom("letters only keep", "text:S", 'return "".join(c for c in $text if c.isalpha())', "S"),
    idiom("letters count frequencies characters", "text:S", "return {c: $text.count(c) for c in $text}", "D"),
    idiom("anagram same letters", "a:S b:S", "return sorted($a) == sorted($b)"),
    idiom("anagram same letters ignore case", "a:S b:S", "return sorted($a.lower()) == sorted($b.lower())"),
    idiom(
        "truncate shorten ellipsis",
        "text:S most:I",
        'return $text if len($text) <= $most else $text[: $most - 3] + "..."',
        "S",
    ),
    idiom(
        "truncate shorten ellipsis",
        "text:S most:I",
        'return $text if len($text) <= $most else $text[:$most] + "..."',
        "S",
    ),
    idiom("pad left zeros fill", "value:E width:I", "return str($value).zfill($width)", "S"),
    idiom("pad left right justify", "text:S width:I", "return $text.rjust($width)", "S"),
    idiom("pad right left justify", "text:S width:I", "return $text.ljust($width)", "S"),
    idiom(
        "remove prefix strip without",
        "text:S prefix:S",
        "return $text[len($prefix) :] if $text.startswith($prefix) else $text",
        "S",
    ),
    idiom(
        "remove suffix strip without",
        "text:S suffix:S",
        "return $text[: -len($suffix)] if $suffix and $text.endswith($suffix) else $text",
        "S",
    ),
    idiom(
        "common prefix longest",
        "a:S b:S",
        "at = 0\nwhile at < min(len($a), len($b)) and $a[at] == $b[at]:\n    at += 1\nreturn $a[:at]",
        "S",
    ),
    idiom("hamming distance differing positions", "a:Q b:Q", "return sum(x != y for x, y in zip($a, $b))", "N"),
    idiom(
        "caesar shift rotate cipher",
        "text:S by:I",
        'shifted = ""\nfor c in $text:\n    if c.isalpha():\n        start = ord("A") if c.isupper() else ord("a")\n'
        "        c = chr(start + (ord(c) - start + $by) % 26)\n    shifted += c\nreturn shifted",
        "S",
    ),
    idiom(
        "run length encode rle compress",
        "text:S",
        'out = ""\nat = 0\nwhile at < len($text):\n    end = at\n'
        "    while end < len($text) and $text[end] == $text[at]:\n"
        "        end += 1\n    out += $text[at] + str(end - at)\n    at = end\nreturn out",
        "S",
    ),
    idiom(
        "balanced brackets parentheses valid matching",
        "text:S",
        'partner = {")": "(", "]": "[", "}": "{"}\nopen_ones = []\nfor c in $text:\n    if c in partner.values():\n'
        "        open_ones.append(c)\n    elif c in partner and (not open_ones or open_ones.pop() != partner[c]):\n"
        "        return False\nreturn not open_ones",
    ),
    idiom(
        "levenshtein edit distance",
        "a:S b:S",
        "row = list(range(len($b) + 1))\nfor i, x in enumerate($a, 1):\n    above, row[0] = row[0], i\n"
        "    for j, y in enumerate($b, 1):\n"
        "        above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))\n"
        "return row[-1]",
        "N",
    ),
    idiom("parse key value pairs split", "text:S", 'return dict(part.split("=", 1) for part in $text.split("&"))', "D"),
    idiom(
        "parse key value lines pairs",
        "text:S",
        'return dict(line.split("=", 1) for line in $text.splitlines() if "=" in line)',
        "D",
    ),
    idiom("csv comma split fields strip", "text:S", 'return [part.strip() for part in $text.split(",")]', "L"),
    idiom("integers numbers parse list", "text:S", "return [int(part) for part in $text.split()]", "L"),
    idiom(
        "lines non empty strip", "text:S", "return [line.strip() for line in $text.splitlines() if line.strip()]", "L"
    ),
    idiom(
        "indent lines prefix",
        "text:S prefix:S",
        'return "\\n".join($prefix + line for line in $text.splitlines())',
        "S",
    ),
    idiom("repeat times", "text:S times:I", "return $text * $times", "S"),
    idiom("join path parts slash", "parts:L", 'return "/".join(part.strip("/") for part in $parts)', "S"),
    idiom("extension suffix file", "name:S", 'return $name.rpartition(".")[2] if "." in $name else ""', "S"),
    idiom("seconds time format minutes clock", "seconds:I", 'return f"{$seconds // 60}:{$seconds % 60:02d}"', "S"),
    idiom(
        "seconds time format minutes clock padded",
        "seconds:I",
        'return f"{$seconds // 60:02d}:{$seconds % 60:02d}"',
        "S",
    ),
    idiom(
        "seconds time format hours minutes clock",
        "seconds:I",
        'return f"{$seconds // 3600:02d}:{$seconds // 60 % 60:02d}:{$seconds % 60:02d}"',
        "S",
    ),
    idiom(
        "plural count noun",
        "count:I noun:S",
        'return f"{$count} {$noun}" if $count == 1 else f"{$count} {$noun}s"',
        "S",
    ),
    idiom("percent format", "part:N whole:N", 'return f"{100 * $part / $whole:.0f}%"', "S"),
)
