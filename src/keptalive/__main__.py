"""The command `keptalive`, and `python -m keptalive`.

Signals are handled before anything else is imported, so that Ctrl-C leaves no traceback.
"""

from __future__ import annotations

from keptalive import interruption


def main() -> None:
    """Run the command line, and leave with its exit code."""
    interruption.install()
    from keptalive.cli.main import main

    main()


if __name__ == "__main__":
    main()
