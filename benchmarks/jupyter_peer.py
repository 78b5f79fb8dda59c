"""Runs in the peers' environment: an IPython kernel driven through jupyter_client.

Each line of stdin is a JSON string with code; for each, a line of JSON on stdout with the time in
ms until its output had come and the kernel was idle again, and with what it printed.
"""

from __future__ import annotations

import json
import sys
import time

from jupyter_client.manager import start_new_kernel  # type: ignore[import-not-found]

PATIENCE_S = 60


def main() -> None:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in sys.stdin:
            began = time.perf_counter_ns()
            request = client.execute(json.loads(line))
            printed = ""
            while True:
                message = client.get_iopub_msg(timeout=PATIENCE_S)
                if message["parent_header"].get("msg_id") != request:
                    continue
                content = message["content"]
                if message["msg_type"] == "stream":
                    printed += content["text"]
                if message["msg_type"] == "status" and content["execution_state"] == "idle":
                    break
            took = (time.perf_counter_ns() - began) / 1e6
            sys.stdout.write(json.dumps([took, printed]) + "\n")
            sys.stdout.flush()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
