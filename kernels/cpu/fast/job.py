"""Where a job that threads share has its words; each group on a cache line of its own. See `team`."""

TICKET, DONE, CLOSED, WORK = 0, 64, 128, 192
"""Offsets in bytes: the ticket, the ranges done, whether helpers should leave, and the work itself."""

FIELDS = ("function", "words", "groups", "share")
"""The words of the work: who does it, what it is called with, how many groups there are, and how many make a range."""

BYTES = WORK + 8 * len(FIELDS)
