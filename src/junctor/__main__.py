"""``python -m junctor``: the same as the ``junctor`` command."""

from junctor.app.cli.main import main

if __name__ == "__main__":
    main()
