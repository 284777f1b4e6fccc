"""Fuzzing every parser and decoder: targets with their properties, and a runner for them.

``python -m tests.fuzz`` runs a campaign; guided by coverage where ``atheris`` is installed
(``make fuzz-guided`` sees to that), else with plain mutations. ``tests/property/test_fuzz_targets``
tries every target for a moment in every run of the tests.
"""
