"""`python -m raykit` does the same as the `raykit` command."""

from raykit.app.door import main

if __name__ == "__main__":
    main()
