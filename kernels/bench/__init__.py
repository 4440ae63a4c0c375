"""How fast products are on this machine, beside what the machine could do: ``python -m kernels bench``."""
