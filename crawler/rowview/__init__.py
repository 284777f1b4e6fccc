"""One row with all that it rests on: of a list, step by step, or of a finished run."""
