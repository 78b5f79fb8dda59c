"""A program: serve a model with the server inside the package xllamacpp, until it is killed.

Usage: python serve_xllamacpp.py PACKAGES MODEL NAME SLOTS CONTEXT_TOKENS
"""

from __future__ import annotations

import importlib
import signal
import sys


def main() -> None:
    """Run the server on a free port of this computer, which it logs."""
    packages, model, name, slots, context_tokens = sys.argv[1:]
    sys.path.insert(0, packages)
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.offline = True
    params.ui = False
    params.endpoint_metrics = True
    params.n_parallel = int(slots)
    params.n_ctx = int(slots) * int(context_tokens)
    # Several threads wait for each other at every step, which takes long where others compute too.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    # Each answer is computed whole, so that the same question has the same answer.
    params.cache_prompt = False
    params.cache_ram_mib = 0
    server = xllamacpp.Server(params)
    sys.stdout.write(f"listening on {server.listening_address}\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main()
