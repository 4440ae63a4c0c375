"""Exact products from machine code made for this CPU by llvmlite; nothing here loads it before it is asked for.

A matrix is repacked once (`lanes`), a tier of instructions chosen (`tiers`), its code emitted (`product`, `tokens`,
`team`, with the words of `ir`), compiled and tried in a child (`build`), kept on disk (`disk`), loaded (`load`), and
called (`backend`), with more threads where the caller wants them (`crew`).
"""
