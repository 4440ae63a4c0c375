"""Receipts read again: what is wrong with one by itself, against its repository, and when its tests run once more."""
