"""An exo cluster: what its nodes say, which of it holds, and how to use and mend it."""
