"""Asks the server on this machine whether it is well: exit status 0 or 1, for HEALTHCHECK.

The address to ask may be given: /readyz asks whether it also has a worker and all else it needs.
"""

import json
import os
import sys
import urllib.error
import urllib.request

EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
SECONDS = 4
MOST = 4_000
"""Bytes of an answer that are shown."""


def main() -> int:
    """0 where the address answers 200; else why not is printed."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
    host = os.environ.get("HOST", "127.0.0.1")
    host = EVERYWHERE.get(host, host)
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{os.environ.get('PORT', '8000')}{path}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=SECONDS) as answer:
            print(json.dumps(json.load(answer)))
    except urllib.error.HTTPError as error:
        print(f"{url}: {error}: {error.read(MOST).decode(errors='replace')}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
