"""`python -m footfall`: the command line, for children of `up` and where no script is on PATH."""

from footfall.cli import main

if __name__ == "__main__":
    main()
