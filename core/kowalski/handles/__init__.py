"""What an engine hands out: a run, a chat or a batch that its caller follows."""
