"""The ways of enclosing code, and what they share."""
