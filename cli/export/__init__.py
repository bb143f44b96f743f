"""A learned style written for other programs."""
