"""What a browser calls itself, in words: `Firefox on Windows`."""

BROWSERS = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "Python"),
)
"""A word of the user agent, and whose it is; the first that fits counts, since all claim more."""
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
PHONES = frozenset({"iPhone", "Android"})


def describe_device(user_agent: str | None) -> str:
    browser, system = _find(BROWSERS, user_agent), _find(SYSTEMS, user_agent)
    return " on ".join(name for name in (browser, system) if name) or "Unknown browser"


def device_icon(user_agent: str | None) -> str:
    return "smartphone" if _find(SYSTEMS, user_agent) in PHONES else "laptop"


def _find(registry: tuple[tuple[str, str], ...], user_agent: str | None) -> str | None:
    return next((name for word, name in registry if word in (user_agent or "")), None)
