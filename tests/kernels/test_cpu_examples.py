"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import kernels

MODULES = ["kernels", *(module.name for module in pkgutil.walk_packages(kernels.__path__, "kernels."))]
PUBLIC = ["quantize_weights", "quantize_activations", "matmul", "select_backend", "PackedMatrix"]


@pytest.mark.parametrize("name", MODULES)
def test_cpu_examples_of(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_cpu_examples_exist_for(name):
    assert ">>>" in getattr(kernels, name).__doc__
