"""The product on a CUDA device: the same bodies as on the CPU."""

import matmul_checks as checks
import pytest

pytestmark = pytest.mark.gpu


def test_gpu_matmul_equals_the_goldens(golden):
    checks.check_golden("gpu", golden)


@pytest.mark.parametrize(
    ("rows", "cols", "batch"), [(1, 128, 1), (7, 256, 2), (33, 384, 9), (2560, 2560, 1), (640, 6912, 17)]
)
def test_gpu_matmul_is_exact(rows, cols, batch):
    checks.check_random("gpu", rows, cols, batch)


@pytest.mark.parametrize("cols", [2560, 6912])
def test_gpu_matmul_of_the_worst_case_does_not_wrap(cols):
    checks.check_worst_case("gpu", cols)


def test_gpu_matmul_stays_exact_where_one_float32_sum_would_round():
    checks.check_wide("gpu")


def test_gpu_matmul_pairs_each_column_with_its_activation():
    checks.check_one_hot("gpu")


def test_gpu_matmul_of_nothing():
    checks.check_empty("gpu")


def test_gpu_matmul_takes_strided_activations():
    checks.check_strided("gpu")


def test_gpu_matmul_of_zero_rows_is_zero():
    checks.check_zero_rows("gpu")
