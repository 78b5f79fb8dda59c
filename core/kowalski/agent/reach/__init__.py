"""How a face reaches its agent, and starts it."""
