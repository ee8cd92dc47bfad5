"""TypeScript's compiler, for the tests of types alone: in a folder that git ignores."""

import subprocess

from tests.server import ROOT

PACKAGE = "typescript@5.9.3"
FOLDER = ROOT / ".cache" / "typescript"
INSTALL_SECONDS = 100


class NotInstalledError(Exception):
    """npm could not install it: the network's fault, or the registry's."""


def find_compiler() -> tuple[str, str]:
    """The command that runs it."""
    program = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"
    if not program.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(FOLDER)]
        try:
            subprocess.run(
                [*command, PACKAGE], check=True, capture_output=True, timeout=INSTALL_SECONDS
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise NotInstalledError(f"{PACKAGE} could not be installed with npm") from error
    return "node", str(program)
