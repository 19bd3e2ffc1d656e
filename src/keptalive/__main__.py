"""`python -m keptalive` is the command `keptalive`."""

from keptalive.cli import main

if __name__ == "__main__":
    main()
