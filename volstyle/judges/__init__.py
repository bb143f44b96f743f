"""How good a result is, and what the units of a network see."""
