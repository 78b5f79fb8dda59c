"""A person at a terminal, for tests of the `kowalski` command."""
