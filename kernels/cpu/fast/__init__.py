"""Exact products and float arithmetic from machine code made for this CPU by llvmlite; loads that when asked for.

What is computed: `lanes` lays a ternary matrix out, `tiers` says which instructions there are, and `product`, `tokens`
and `calls` write the products; `tiling`, `dense`, `dense_int8`, `attend`, `sweeps` and `rounding` the arithmetic of a
forward pass, in the order `floats` keeps. `team` shares it among threads; all are in the words of `ir`, and are called
with those of `words`. How it gets to run: `start` picks the tier and asks `disk`, else `build` in a child, which has
`trial` try what it compiled; `load` makes functions of it. Who calls it: `backend` and `ops`, with the threads of
`crew`, who meet at a `job`.
"""
