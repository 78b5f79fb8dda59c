"""Set up: install what the real model needs, and see it answer."""

from __future__ import annotations

import sys

from real_model.server import NoRealModel, real_server


def main() -> int:
    """Exit status 1, with the reasons on standard error, if no engine works here."""
    try:
        with real_server():
            return 0
    except NoRealModel as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
