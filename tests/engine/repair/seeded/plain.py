"""Small correct programs, the tests they pass, and one slip for each: ordinary Python. Data only."""

CASES = {}


def case(name, source, test, right, wrong):
    assert source.count(right) == 1, (name, right)
    CASES[name] = (source.lstrip(), test.lstrip(), source.lstrip().replace(right, wrong))


case(
    "boundary_compare",
    """
def bucket(size, limit):
    if size <= limit:
        return "small"
    return "large"
""",
    """
import pytest
from mod import bucket
@pytest.mark.parametrize("size, want", [(1, "small"), (5, "small"), (6, "large")])
def test_bucket(size, want): assert bucket(size, 5) == want
""",
    "size <= limit",
    "size < limit",
)
case(
    "range_end",
    """
def triangle(n):
    total = 0
    for i in range(1, n + 1):
        total += i
    return total
""",
    """
from mod import triangle
def test_small(): assert triangle(1) == 1
def test_more(): assert triangle(5) == 15
def test_none(): assert triangle(0) == 0
""",
    "n + 1",
    "n",
)
case(
    "return_in_loop",
    """
def positives(values):
    out = []
    for value in values:
        if value > 0:
            out.append(value)
    return out
""",
    """
from mod import positives
def test_two(): assert positives([1, -2, 3]) == [1, 3]
def test_empty(): assert positives([]) == []
def test_last(): assert positives([-1, 4]) == [4]
""",
    "    return out",
    "        return out",
)
case(
    "missing_return",
    """
def merged(left, right):
    out = dict(left)
    out.update(right)
    return out
""",
    """
from mod import merged
def test_merge(): assert merged({"a": 1}, {"b": 2}) == {"a": 1, "b": 2}
def test_right_wins(): assert merged({"a": 1}, {"a": 2}) == {"a": 2}
""",
    "    return out\n",
    "",
)
case(
    "wrong_variable",
    """
class Account:
    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance

    def transfer(self, other, amount):
        if amount > self.balance:
            raise ValueError("too much")
        self.balance -= amount
        other.balance += amount
""",
    """
import pytest
from mod import Account
class TestAccount:
    def test_moves(self):
        a, b = Account("a", 10), Account("b")
        a.transfer(b, 4)
        assert (a.balance, b.balance) == (6, 4)
    def test_refuses(self):
        with pytest.raises(ValueError): Account("a", 1).transfer(Account("b", 9), 4)
""",
    "amount > self.balance",
    "amount > other.balance",
)
case(
    "swapped_arguments",
    """
def ratio(part, whole):
    return part / whole

def percent(part, whole):
    return round(100 * ratio(part, whole), 1)
""",
    """
from mod import percent
def test_half(): assert percent(1, 2) == 50.0
def test_third(): assert percent(1, 3) == 33.3
""",
    "ratio(part, whole), 1)",
    "ratio(whole, part), 1)",
)
case(
    "module_constant",
    """
SECONDS = {"s": 1, "m": 60, "h": 3600}
WEEK = 7

def weeks(days):
    return days // WEEK

def seconds(amount, unit):
    return amount * SECONDS[unit]
""",
    """
from mod import seconds, weeks, WEEK
def test_weeks(): assert weeks(14) == 2 and weeks(20) == 2
def test_constant(): assert WEEK * 2 == 14
def test_minutes(): assert seconds(2, "m") == 120
""",
    "WEEK = 7",
    "WEEK = 8",
)
case(
    "default_argument",
    """
def page(items, number, size=3):
    start = number * size
    return items[start : start + size]
""",
    """
from mod import page
def test_first(): assert page(list(range(10)), 0) == [0, 1, 2]
def test_second(): assert page(list(range(10)), 1) == [3, 4, 5]
def test_given(): assert page(list(range(10)), 1, 4) == [4, 5, 6, 7]
""",
    "size=3",
    "size=4",
)
case(
    "boolean_operator",
    """
def leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
""",
    """
import pytest
from mod import leap
@pytest.mark.parametrize("year, want", [(1996, True), (1900, False), (2000, True), (1999, False)])
def test_leap(year, want): assert leap(year) is want
""",
    "!= 0 or year",
    "!= 0 and year",
)
case(
    "missing_abs",
    """
def close(a, b, tolerance=0.1):
    return abs(a - b) < tolerance
""",
    """
from mod import close
def test_near(): assert close(1.0, 1.05)
def test_far_up(): assert not close(2.0, 1.0)
def test_far_down(): assert not close(1.0, 2.0)
""",
    "abs(a - b)",
    "a - b",
)
case(
    "wrong_attribute",
    """
class Box:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    @property
    def area(self):
        return self.width * self.height

    def scaled(self, by):
        return Box(self.width * by, self.height * by)
""",
    """
from mod import Box
def test_area(): assert Box(2, 3).area == 6
def test_scaled(): assert Box(2, 3).scaled(2).area == 24
""",
    "return self.width * self.height\n",
    "return self.width * self.width\n",
)
case(
    "endless_loop",
    """
def digits(n):
    out = []
    while n > 0:
        out.append(n % 10)
        n //= 10
    return out[::-1]
""",
    """
from mod import digits
def test_three(): assert digits(123) == [1, 2, 3]
def test_one(): assert digits(7) == [7]
""",
    "n > 0",
    "n >= 0",
)
case(
    "empty_input",
    """
def mean(values):
    if not values:
        return 0.0
    return sum(values) / len(values)
""",
    """
from mod import mean
def test_mean(): assert mean([1, 2, 3]) == 2
def test_empty(): assert mean([]) == 0.0
""",
    "    if not values:\n        return 0.0\n",
    "",
)
case(
    "misspelt_name",
    """
def area(width, height):
    return width * height

def volume(width, height, depth):
    return area(width, height) * depth
""",
    """
from mod import volume, area
def test_area(): assert area(2, 3) == 6
def test_volume(): assert volume(2, 3, 4) == 24
""",
    "return area(width",
    "return aera(width",
)
case(
    "misnamed_function",
    """
def normalise(text):
    return " ".join(text.split()).lower()
""",
    """
from mod import normalise
def test_spaces(): assert normalise(" A  b ") == "a b"
""",
    "def normalise",
    "def normalize",
)
case(
    "ceil_division",
    """
def pages(count, size):
    return (count + size - 1) // size
""",
    """
import pytest
from mod import pages
@pytest.mark.parametrize("count, size, want", [(0, 4, 0), (4, 4, 1), (5, 4, 2), (9, 4, 3)])
def test_pages(count, size, want): assert pages(count, size) == want
""",
    "(count + size - 1) // size",
    "count // size",
)
case(
    "min_for_max",
    """
def clamp(value, low, high):
    return max(low, min(high, value))
""",
    """
from mod import clamp
def test_in(): assert clamp(5, 0, 9) == 5
def test_low(): assert clamp(-5, 0, 9) == 0
def test_high(): assert clamp(15, 0, 9) == 9
""",
    "min(high",
    "max(high",
)
case(
    "fixture_and_file",
    """
def save(path, rows):
    with open(path, "w") as file:
        for key, value in rows:
            file.write(f"{key}={value}\\n")

def load(path):
    with open(path) as file:
        return [tuple(line.strip().split("=", 1)) for line in file]
""",
    """
import pytest
from mod import load, save
@pytest.fixture
def rows(): return [("a", "1"), ("b", "x=y")]
def test_round_trip(tmp_path, rows):
    save(tmp_path / "f", rows)
    assert load(tmp_path / "f") == rows
def test_empty(tmp_path):
    save(tmp_path / "f", [])
    assert load(tmp_path / "f") == []
""",
    'split("=", 1)',
    'split("=")',
)
case(
    "decorated",
    """
import functools

def twice(function):
    @functools.wraps(function)
    def inner(value):
        return function(function(value))
    return inner

@twice
def bump(value):
    return value + 1
""",
    """
from mod import bump, twice
def test_bump(): assert bump(1) == 3
def test_other(): assert twice(lambda v: v * 3)(1) == 9
""",
    "function(function(value))",
    "function(value)",
)
case(
    "duplicated_statement",
    """
def tally(words):
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts
""",
    """
from mod import tally
def test_two(): assert tally(["a", "b", "a"]) == {"a": 2, "b": 1}
def test_none(): assert tally([]) == {}
""",
    "        counts[word] = counts.get(word, 0) + 1\n",
    "        counts[word] = counts.get(word, 0) + 1\n        counts[word] = counts.get(word, 0) + 1\n",
)
