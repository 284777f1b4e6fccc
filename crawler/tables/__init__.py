"""Work on whole tables of rows, in bounded memory: group, add, tell apart, put aside."""
