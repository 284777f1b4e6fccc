"""The command line: one function per command, their options, and what they alone need."""

from crawler.cli.commands import main

__all__ = ["main"]
