"""A real language model on a real server, for what no double can show."""
