"""Functions that are still to be written, written from the examples their tests give: one more source of candidates.

First a bank of idioms, chosen by name, parameters and kinds of value; then expressions put together bottom up. What
comes out is judged as any other candidate. It must never repeat a value that only a test has.
"""
