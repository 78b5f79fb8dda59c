"""Many servers of language models as one: who is asked, when, and what if it fails."""
