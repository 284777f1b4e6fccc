"""Balances at a moment, and signatures, on many chains. Knows nothing of exchanges."""

BUILD = "0.1.0"
"""Build identity; ``crawler`` refuses to start beside another one."""
