"""Asking, storing and reading back: evidence first, answers after it."""
