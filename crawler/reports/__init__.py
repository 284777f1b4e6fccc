"""What a command shows or writes: a report, a plan, verdicts, one row; for people and machines."""
