"""What follows from a declaration: pure functions, one file a question."""
