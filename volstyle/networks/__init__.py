"""Frozen networks with named taps, and how they are laid on the axes of a field."""
