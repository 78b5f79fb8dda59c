"""A server with the tools, resources and prompts that the MCP conformance suite calls.

It is built by the factory that builds Kowalski's own MCP server, so that what the suite
finds holds for that one too. Run it with `python -m clients.conformance_app`.
"""
