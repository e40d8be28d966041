"""`python -m proxy`: hands over to the table of commands."""

from proxy.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
