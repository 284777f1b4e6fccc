"""Render a report: for a terminal, as one page of HTML, as canonical JSON."""
