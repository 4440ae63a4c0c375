"""Idioms of lists and dictionaries."""

from __future__ import annotations

from engine.providers.repair.synth.idiom import idiom

IDIOMS = (
    idiom(
        "chunk chunks chunked batch batches pieces split slices group",
        "items:Q size:I",
        "return [$items[at : at + $size] for at in range(0, len($items), $size)]",
        "L",
    ),
    idiom(
        "windows sliding window",
        "items:Q size:I",
        "return [$items[at : at + $size] for at in range(len($items) - $size + 1)]",
        "L",
    ),
    idiom(
        "flatten flat one level concatenate chain join", "rows:L", "return [item for row in $rows for item in row]", "L"
    ),
    idiom(
        "flatten deep nested recursive all levels",
        "rows:L",
        "flat = []\nwaiting = [$rows]\nwhile waiting:\n    item = waiting.pop()\n"
        "    if isinstance(item, (list, tuple)):\n"
        "        waiting.extend(reversed(item))\n    else:\n        flat.append(item)\nreturn flat",
        "L",
    ),
    idiom(
        "running cumulative prefix sum sums total totals accumulate cumsum",
        "values:L",
        "totals = []\ntotal = 0\nfor value in $values:\n    total += value\n    totals.append(total)\nreturn totals",
        "L",
    ),
    idiom(
        "exclusive prefix sum offsets starts cumulative",
        "values:L",
        "starts = []\ntotal = 0\nfor value in $values:\n    starts.append(total)\n    total += value\nreturn starts",
        "L",
    ),
    idiom(
        "running maximum max cumulative so far",
        "values:L",
        "return [max($values[: at + 1]) for at in range(len($values))]",
        "L",
    ),
    idiom(
        "differences diff deltas steps between consecutive",
        "values:L",
        "return [b - a for a, b in zip($values, $values[1:])]",
        "L",
    ),
    idiom("pairs pairwise adjacent consecutive neighbours", "items:Q", "return list(zip($items, $items[1:]))", "L"),
    idiom(
        "unique distinct dedupe deduplicate order duplicates without",
        "items:Q",
        "return list(dict.fromkeys($items))",
        "L",
    ),
    idiom("duplicates repeated any has", "items:Q", "return len(set($items)) < len($items)"),
    idiom(
        "count counts tally frequencies histogram occurrences",
        "items:Q",
        "counts = {}\nfor item in $items:\n    counts[item] = counts.get(item, 0) + 1\nreturn counts",
        "D",
    ),
    idiom("most common mode frequent", "items:Q", "return max($items, key=$items.count)"),
    idiom(
        "group by first key",
        "items:L key:P",
        "groups = {}\nfor item in $items:\n    groups.setdefault($key(item), []).append(item)\nreturn groups",
        "D",
    ),
    idiom(
        "partition split predicate",
        "items:L test:P",
        "return [item for item in $items if $test(item)], [item for item in $items if not $test(item)]",
    ),
    idiom("mean average", "values:L", "return sum($values) / len($values)", "N"),
    idiom("mean average empty zero safe", "values:L", "return sum($values) / len($values) if $values else 0", "N"),
    idiom("mean average empty zero safe", "values:L", "return sum($values) / len($values) if $values else 0.0", "N"),
    idiom(
        "median middle",
        "values:L",
        "ordered = sorted($values)\nmiddle = len(ordered) // 2\nif len(ordered) % 2:\n    return ordered[middle]\n"
        "return (ordered[middle - 1] + ordered[middle]) / 2",
        "N",
    ),
    idiom(
        "variance population",
        "values:L",
        "mean = sum($values) / len($values)\nreturn sum((value - mean) ** 2 for value in $values) / len($values)",
        "N",
    ),
    idiom(
        "standard deviation std population",
        "values:L",
        "mean = sum($values) / len($values)\n"
        "return (sum((value - mean) ** 2 for value in $values) / len($values)) ** 0.5",
        "N",
    ),
    idiom(
        "product multiply all prod",
        "values:L",
        "result = 1\nfor value in $values:\n    result *= value\nreturn result",
        "N",
    ),
    idiom("dot inner product", "a:L b:L", "return sum(x * y for x, y in zip($a, $b))", "N"),
    idiom("sum squares norm squared", "values:L", "return sum(value * value for value in $values)", "N"),
    idiom("mean squared error mse", "a:L b:L", "return sum((x - y) ** 2 for x, y in zip($a, $b)) / len($a)", "N"),
    idiom("mean absolute error mae", "a:L b:L", "return sum(abs(x - y) for x, y in zip($a, $b)) / len($a)", "N"),
    idiom("add vectors elementwise sum", "a:L b:L", "return [x + y for x, y in zip($a, $b)]", "L"),
    idiom("multiply vectors elementwise product", "a:L b:L", "return [x * y for x, y in zip($a, $b)]", "L"),
    idiom("scale multiply vector by", "values:L factor:N", "return [value * $factor for value in $values]", "L"),
    idiom(
        "normalize normalise share proportions",
        "values:L",
        "total = sum($values)\nreturn [value / total for value in $values]",
        "L",
    ),
    idiom("absmax largest magnitude maximum absolute", "values:L", "return max(abs(value) for value in $values)", "N"),
    idiom("range spread extent", "values:L", "return max($values) - min($values)", "N"),
    idiom("transpose rows columns", "rows:L", "return [list(column) for column in zip(*$rows)]", "L"),
    idiom(
        "matmul matrix multiply product",
        "a:L b:L",
        "return [[sum(x * y for x, y in zip(row, column)) for column in zip(*$b)] for row in $a]",
        "L",
    ),
    idiom("identity matrix eye", "n:I", "return [[int(i == j) for j in range($n)] for i in range($n)]", "L"),
    idiom(
        "rotate left list shift",
        "items:Q by:I",
        "return $items[$by % len($items) :] + $items[: $by % len($items)] if $items else $items",
    ),
    idiom(
        "rotate right list shift",
        "items:Q by:I",
        "return $items[-$by % len($items) :] + $items[: -$by % len($items)] if $items else $items",
    ),
    idiom("interleave alternate merge", "a:L b:L", "return [item for pair in zip($a, $b) for item in pair]", "L"),
    idiom("merge sorted two", "a:L b:L", "return sorted($a + $b)", "L"),
    idiom("argmax index largest", "values:L", "return max(range(len($values)), key=lambda at: $values[at])", "N"),
    idiom("argmin index smallest", "values:L", "return min(range(len($values)), key=lambda at: $values[at])", "N"),
    idiom("argsort order indices", "values:L", "return sorted(range(len($values)), key=lambda at: $values[at])", "L"),
    idiom(
        "sorted is ascending increasing order", "values:Q", "return all(a <= b for a, b in zip($values, $values[1:]))"
    ),
    idiom("longest", "items:L", "return max($items, key=len)"),
    idiom("longest empty default", "items:L", 'return max($items, key=len, default="")'),
    idiom("second largest", "values:L", "return sorted(set($values))[-2]", "N"),
    idiom("top largest first", "values:L count:I", "return sorted($values, reverse=True)[:$count]", "L"),
    idiom("every nth step", "items:Q step:I", "return $items[::$step]"),
    idiom("intersection common both shared", "a:L b:L", "return [item for item in $a if item in $b]", "L"),
    idiom("difference missing without", "a:L b:L", "return [item for item in $a if item not in $b]", "L"),
    idiom("union either", "a:L b:L", "return list(dict.fromkeys([*$a, *$b]))", "L"),
    idiom("compact remove falsy none", "items:L", "return [item for item in $items if item]", "L"),
    idiom("none remove filter", "items:L", "return [item for item in $items if item is not None]", "L"),
    idiom("first default", "items:Q", "return $items[0] if $items else None"),
    idiom("last default", "items:Q", "return $items[-1] if $items else None"),
    idiom(
        "index find position default", "items:Q item:E", "return $items.index($item) if $item in $items else -1", "N"
    ),
    idiom(
        "binary search bisect position sorted find",
        "values:L wanted:N",
        "low, high = 0, len($values) - 1\nwhile low <= high:\n    middle = (low + high) // 2\n"
        "    if $values[middle] == $wanted:\n        return middle\n    if $values[middle] < $wanted:\n"
        "        low = middle + 1\n    else:\n        high = middle - 1\nreturn -1",
        "N",
    ),
    idiom(
        "run length encode rle compress",
        "items:Q",
        "runs = []\nfor item in $items:\n    if runs and runs[-1][0] == item:\n"
        "        runs[-1] = (item, runs[-1][1] + 1)\n"
        "    else:\n        runs.append((item, 1))\nreturn runs",
        "L",
    ),
    idiom(
        "run length decode rle expand", "runs:L", "return [item for item, count in $runs for _ in range(count)]", "L"
    ),
    idiom("invert swap keys values mapping", "table:D", "return {value: key for key, value in $table.items()}", "D"),
    idiom("merge update combine dictionaries", "a:D b:D", "return {**$a, **$b}", "D"),
    idiom("sum values total dictionary", "table:D", "return sum($table.values())", "N"),
    idiom(
        "pick keys subset select", "table:D keys:L", "return {key: $table[key] for key in $keys if key in $table}", "D"
    ),
    idiom(
        "omit keys without drop",
        "table:D keys:L",
        "return {key: value for key, value in $table.items() if key not in $keys}",
        "D",
    ),
    idiom("get default lookup", "table:D key:E default:E", "return $table.get($key, $default)"),
    idiom("best key argmax largest", "table:D", "return max($table, key=$table.get)"),
    idiom(
        "add merge counts sum dictionaries",
        "a:D b:D",
        "return {key: $a.get(key, 0) + $b.get(key, 0) for key in {**$a, **$b}}",
        "D",
    ),
    idiom(
        "power set subsets",
        "items:L",
        "found = [[]]\nfor item in $items:\n    found += [subset + [item] for subset in found]\nreturn found",
        "L",
    ),
    idiom(
        "compose apply repeat times",
        "function:P times:I value:E",
        "for _ in range($times):\n    $value = $function($value)\nreturn $value",
    ),
    idiom(
        "merge intervals spans overlapping",
        "spans:L",
        "merged = []\nfor start, end in sorted($spans):\n    if merged and start <= merged[-1][1]:\n"
        "        merged[-1] = (merged[-1][0], max(merged[-1][1], end))\n    else:\n"
        "        merged.append((start, end))\nreturn merged",
        "L",
    ),
)
