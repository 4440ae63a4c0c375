"""Specialists: what each agent a route leads to can show by tools alone, with or without a model."""
