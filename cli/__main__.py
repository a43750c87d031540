"""`python -m cli` is `tickworks`."""

from cli.main import main

main()
