"""A method of a TestCase that needs nothing else is run without pytest around it, and ends as it would there."""

import unittest
from types import SimpleNamespace

import pytest

from engine.providers.repair.child.cases import plain_case, run_case


class Case(unittest.TestCase):
    __test__ = False  # material, not tests of this file

    def setUp(self):
        self.left = [1]
        self.addCleanup(self.left.clear)

    def test_right(self):
        assert self.left == [1]

    def test_wrong(self):
        assert self.left == [2]

    def test_parts(self):
        for n in (1, 2, 3):
            with self.subTest(n=n):
                assert n < 2

    def test_skip(self):
        self.skipTest("not today")

    def test_skip_as_pytest_does(self):
        pytest.skip("not today")

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("so be it")

    @unittest.expectedFailure
    def test_unexpected(self):
        pass


class WithClass(Case):
    @classmethod
    def setUpClass(cls):
        cls.right = [1]


class WithMethod(Case):
    def setup_method(self, method):
        pass


class WithLoop(unittest.IsolatedAsyncioTestCase):
    __test__ = False

    async def test_right(self):
        pass


def item(cls, name="test_right", **fixtures):
    behind = {key: [SimpleNamespace(func=SimpleNamespace(__module__=module))] for key, module in fixtures.items()}
    names = ["request", *fixtures]
    info = SimpleNamespace(name2fixturedefs=behind)
    return SimpleNamespace(cls=cls, name=name, fixturenames=names, _fixtureinfo=info)


@pytest.mark.parametrize(
    ("name", "error", "skipped"),
    [
        ("test_right", None, False),
        ("test_wrong", r"assert \[1\] == \[2\]", False),
        ("test_parts", "assert 2 < 2", False),
        ("test_skip", None, True),
        ("test_skip_as_pytest_does", None, True),
        ("test_expected", None, True),
        ("test_unexpected", "Unexpected success", False),
    ],
)
def test_a_method_ends_as_it_would_under_pytest(name, error, skipped):
    if error or skipped:
        with pytest.raises(pytest.skip.Exception if skipped else AssertionError, match=error):
            run_case(item(Case, name))
    else:
        run_case(item(Case, name))


def test_what_needs_more_than_its_own_methods_is_left_to_pytest():
    assert plain_case(item(Case, _unittest_setUpClass_fixture_Case="_pytest.unittest"))
    assert not plain_case(item(WithClass))
    assert not plain_case(item(WithMethod))
    assert not plain_case(item(WithLoop))
    assert not plain_case(item(Case, settings="conftest"))
    assert not plain_case(item(int))
