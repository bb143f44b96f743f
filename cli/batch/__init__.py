"""Many files styled by one command."""
