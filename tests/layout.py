"""What a page that is open in a browser hides of itself without saying so."""

from playwright.sync_api import Page

HIDDEN = """() => {
  const name = (each) => `${each.tagName.toLowerCase()}#${each.id}.${each.className}`;
  const root = document.documentElement;
  const wider = root.scrollWidth > root.clientWidth ? ["the page is wider than its window"] : [];
  const shown = [...document.body.querySelectorAll("*")].filter((each) => {
    const box = each.getBoundingClientRect();
    const scrolls = each.matches("input, textarea");
    return box.width > 1 && box.height > 1 && !scrolls && !each.closest("svg");
  });
  const cut = shown.filter((each) => {
    const { overflowX, overflowY, textOverflow, webkitLineClamp } = getComputedStyle(each);
    const isCut = (overflow, whole, seen) =>
      ["hidden", "clip"].includes(overflow) && whole > seen + 1;
    const isToldSo = textOverflow === "ellipsis" || webkitLineClamp !== "none";
    return !isToldSo && (
      isCut(overflowX, each.scrollWidth, each.clientWidth) ||
      isCut(overflowY, each.scrollHeight, each.clientHeight));
  });
  return [...wider, ...cut.map((each) => `${name(each)} hides a part of what is in it`)];
}"""


def cut_off(page: Page) -> list[str]:
    """What sticks out of the window, or is hidden by its box; an ellipsis tells that there is more,
    and so does a bar to scroll with. What is typed into a field can be longer than the field."""
    found: list[str] = page.evaluate(HIDDEN)
    return found
