"""`python -m feilun` is `feilun`."""

from feilun.cli import main

if __name__ == "__main__":
    main()
