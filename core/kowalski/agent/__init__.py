"""The one process per user and device that owns what is warm, live or counted."""
