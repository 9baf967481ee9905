"""What is on the map? Declarations and pure functions: no web, no database."""
