"""What is made from this repository and kept in it: run these from its root with ``python -m scripts.NAME``."""
