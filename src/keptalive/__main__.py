"""The command `keptalive`, and `python -m keptalive`.

Signals are handled before the commands are imported, which takes a third of a second.
"""

from __future__ import annotations

from keptalive import interruption


def main() -> None:
    """Run the command line, and leave with its exit code."""
    interruption.install()
    from keptalive import cli

    cli.main()


if __name__ == "__main__":
    main()
