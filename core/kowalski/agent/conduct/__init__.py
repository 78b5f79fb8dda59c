"""Runs, from what is asked to how they end."""
