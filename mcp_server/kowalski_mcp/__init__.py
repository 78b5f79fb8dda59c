"""The MCP face: tools with which an AI assistant runs code through the engine."""
