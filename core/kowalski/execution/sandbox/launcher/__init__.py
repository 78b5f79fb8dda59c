"""The process that makes sandboxes, and what its children do until code runs in them."""
