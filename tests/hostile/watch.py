"""A browser's page that tells when what it shows is more than text."""

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request

CANARY = """
  Object.defineProperty(window, "__pwned", {set() { console.error("PWNED: a script ran"); }});
  document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`PWNED: stopped by the policy: ${event.blockedURI} ${event.sample}`));
"""
LIVING = """() => {
  const alive = /^(on|hx-|style$|srcdoc$|formaction$|src$|srcset$|action$|http-equiv$)/i;
  const ours = /^(data-copy|data-confirm-slot|data-label|data-correction)/;
  const found = [];
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName;
    if (["iframe", "object", "embed", "base", "style", "marquee", "math", "video"].includes(name)) {
      found.push(element.outerHTML);
    }
    if (name === "script" && !element.src.startsWith(location.origin + "/static/")) {
      found.push(element.outerHTML);
    }
    for (const {name: attribute, value} of element.attributes) {
      const acts = alive.test(attribute) || attribute.startsWith("data-") && !ours.test(attribute);
      if (/^on/i.test(attribute) || acts && value.includes("pwned")) found.push(element.outerHTML);
      if (attribute === "href" && !/^(https?|data):/.test(element.protocol ?? "https:")) {
        found.push(element.outerHTML);
      }
    }
  }
  return found.map((html) => html.slice(0, 300));
}"""


class Watch:
    """Notes whatever a page does that text would not."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.heard: list[str] = []
        page.add_init_script(CANARY)
        page.on("dialog", lambda dialog: (self.heard.append("dialog"), dialog.dismiss()))
        page.on("console", self._hear)
        page.on("request", self._see)
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))

    def _hear(self, line: ConsoleMessage) -> None:
        if "PWNED" in line.text or "Content Security Policy" in line.text:
            self.heard.append(line.text)

    def _see(self, request: Request) -> None:
        address = urlsplit(request.url)
        is_ours = f"{address.scheme}://{address.netloc}" == self.url or address.scheme == "data"
        if not is_ours or "pwned" in address.path:
            self.heard.append(f"request: {request.url[:200]}")

    def check(self, where: str) -> None:
        assert self.page.evaluate(LIVING) == [], where
        assert self.heard == [], where

    def visit(self, path: str) -> None:
        answer = self.page.goto(self.url + path, wait_until="domcontentloaded")
        assert answer is not None and answer.status < 500, path
        self.check(path)
