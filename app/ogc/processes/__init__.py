"""OGC API – Processes – Part 1: Core (18-062r2): long work as jobs, each in the scope of who asked for it."""
