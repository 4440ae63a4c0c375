"""Where a job that threads share has its words; each group on a cache line of its own. See `team`."""

TICKET, DONE, CLOSED, WORK = 0, 64, 128, 192
"""Offsets in bytes: the ticket, the ranges done, whether helpers should leave, and the work itself."""

FIELDS = ("weights", "q", "bias", "sums", "blocks", "groups", "batch", "stride", "share")
"""The words of the work: what ``product`` is called with, and the row groups of a range."""

BYTES = WORK + 8 * len(FIELDS)
