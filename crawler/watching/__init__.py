"""What is told of a run while it is under way, and left for monitoring when it has ended."""
