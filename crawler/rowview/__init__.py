"""One row of a finished run with all that its balance and verdict rest on, decoded anew."""
