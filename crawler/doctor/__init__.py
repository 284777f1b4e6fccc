"""Probe the endpoints before a run, and say which of them will do: ``recount doctor``."""
