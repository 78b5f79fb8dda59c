"""A cluster of exo nodes that can be broken in every way in which real ones have been seen to."""
