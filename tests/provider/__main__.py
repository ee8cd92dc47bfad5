"""Installs the provider for the tests."""

import sys

from tests.lighthouse import MissingError
from tests.provider.running import install

if __name__ == "__main__":
    try:
        install()
    except MissingError as error:
        sys.exit(f"The sign-in provider for the tests: {error}.")
