"""What the agent tells faces over its socket."""
