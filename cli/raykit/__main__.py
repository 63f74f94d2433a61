"""`python -m raykit`: the same door as the `raykit` command."""

from raykit.app.main import main

if __name__ == "__main__":
    main()
