"""The same product on CuPy arrays gives the same integers."""

import numpy as np
import pytest

from ternary import gemv

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("cols", [64, 70])
def test_gpu_gemv_equals_the_cpu(cols):
    import cupy

    rng = np.random.default_rng(cols)
    codes = rng.integers(0, 3, (32, -(-cols // 4), 4)).astype(np.uint8)
    packed = np.bitwise_or.reduce(codes << np.array([0, 2, 4, 6], np.uint8), axis=2)
    q = rng.integers(-127, 128, cols).astype(np.int8)
    on_gpu = gemv(cupy.asarray(packed), cupy.asarray(q), xp=cupy)
    np.testing.assert_array_equal(cupy.asnumpy(on_gpu), gemv(packed, q))
