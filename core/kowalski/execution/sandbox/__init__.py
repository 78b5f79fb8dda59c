"""Sandboxes: one file a mechanism."""
