"""A package, for its tests share fixtures of that scope: without this file they would last until the run ends."""
