"""Products on a CUDA device; imported only when one is asked for."""
