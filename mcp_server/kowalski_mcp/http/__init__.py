"""Serving MCP over HTTP: only what `kowalski mcp --http` needs, and imported by nothing else."""
