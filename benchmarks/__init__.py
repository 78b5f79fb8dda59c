"""The project's numbers, each beside its baseline, measured in one run: `make bench`."""
