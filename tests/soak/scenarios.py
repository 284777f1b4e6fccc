"""What a soak does to runs. Each scenario ends in the undisturbed result or in a clear stop."""

from __future__ import annotations

from tests.soak.damage import damaged_files, damaged_shard, lost_part
from tests.soak.machine import clock_steps, disk_full, no_space, read_only, two_processes
from tests.soak.network import liar, no_names, reorganised, storm

STOPS = (
    storm,
    no_names,
    clock_steps,
    liar,
    reorganised,
    disk_full,
    no_space,
    read_only,
    damaged_shard,
    damaged_files,
    lost_part,
    two_processes,
)
