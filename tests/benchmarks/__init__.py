"""Each claim of speed, memory or quality is a module here that runs both sides in one process and prints the ratio.

uv run python -m tests.benchmarks.NAME
"""
