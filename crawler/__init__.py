"""Recount an exchange's published reserves: lists in, reports out."""

import chains

BUILD = "0.1.0"
if chains.BUILD != BUILD:
    message = (
        f"crawler {BUILD} found another 'chains' package (build {chains.BUILD}) at "
        f"{chains.__file__}; install reserve-recount into an environment of its own"
    )
    raise ImportError(message)
