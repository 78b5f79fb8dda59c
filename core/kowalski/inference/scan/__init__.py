"""Looking for servers of language models in this network, once its owner agreed."""
