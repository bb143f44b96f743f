"""Each claim of speed, memory or quality is a module here that runs both sides and prints the ratio.

uv run python -m tests.benchmarks.NAME
"""
