"""The run directory, and where it lies: in a directory, shared or not, or in an object store."""
