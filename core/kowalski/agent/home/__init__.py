"""Where the agent keeps things, and what its owner allows."""
