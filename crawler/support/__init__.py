"""What recount supports, from the code's own declarations, for a terminal and as documents."""
