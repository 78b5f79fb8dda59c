"""What a command writes: on a terminal, into a file, or for a program."""
