"""Clients of `kowalski mcp`, over the standard input and output of a real process."""
