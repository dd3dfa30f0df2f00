"""`python -m hwprof`."""

import os
import sys


def forget_working_directory() -> None:
    """Take the working directory from the front of sys.path, where `python -m` puts it.

    A json.py that happens to lie there would be run in the place of the library's. It stays where hwprof itself lies
    in it (a checkout). Uses only modules that are loaded before any file of that folder could be.
    """
    package = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    try:
        here = os.getcwd()  # noqa: PTH109
    except FileNotFoundError:  # then Python has not put it there either
        return
    if not sys.flags.safe_path and sys.path[0] == here != os.path.dirname(package):  # noqa: PTH120
        del sys.path[0]


if __name__ == "__main__":
    forget_working_directory()

    from hwprof.cli import main

    sys.exit(main())
