"""Samples on a regular grid: fields, their sizes and colors, and the tiles they are cut into."""
