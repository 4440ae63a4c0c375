"""Exact products from machine code made for this CPU by llvmlite; nothing here loads that before it is asked for.

What is computed: `lanes` lays a matrix out, `tiers` says which instructions there are, and `product`, `tokens`, `team`
and `calls` write the code, in the words of `ir`. How it gets to run: `start` picks the tier and asks `disk`, else
`build` in a child, which has `trial` try what it compiled; `load` makes functions of it. Who calls it: `backend`, with
the threads of `crew`, who meet at a `job`.
"""
