"""How a clip moves, and where it is cut in time."""
