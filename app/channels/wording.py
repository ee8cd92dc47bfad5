"""How messages read: the same plain lines everywhere, cut to what a service takes."""

from app.channels.message import Message

OPEN = "Open in FlowPulse"
DOWN = frozenset({"alert", "reminder", "digest"})
"""Kinds of messages that say that something is wrong."""
OVER = frozenset({"recovery", "resolve"})
"""Kinds of messages that end an incident."""
MAX_FACTS, MAX_FACT_NAME, MAX_FACT = 20, 80, 500


def cut(text: str, limit: int) -> str:
    """The text in `limit` characters, the last an ellipsis where something is gone."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cut_lines(text: str, limit: int) -> str:
    """The same in whole lines, so that no link is cut in two, unless one line is most of it."""
    whole, _, _ = text[: limit - 1].rpartition("\n")
    if len(text) <= limit or len(whole) < limit // 2:
        return cut(text, limit)
    return f"{whole.rstrip()}\n…"


def one_line(text: str) -> str:
    """Without line breaks and other signs that control something."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def title_of(message: Message, limit: int = 200) -> str:
    return cut(one_line(message.title[: 2 * limit]), limit)


def list_facts(message: Message) -> list[tuple[str, str]]:
    return [
        (cut(one_line(name[: 2 * MAX_FACT_NAME]), MAX_FACT_NAME), cut(one_line(value), MAX_FACT))
        for name, value in ((name, value[: 2 * MAX_FACT]) for name, value in message.facts)
    ][:MAX_FACTS]


def write_body(message: Message, limit: int, *, with_link: bool = True) -> str:
    """The text, the facts a line each and, below them, the link, which is never cut off."""
    facts = "\n".join(f"{name}: {value}" for name, value in list_facts(message))
    told = "\n\n".join(part for part in (message.text.strip(), facts) if part)
    link = f"\n\n{message.link}" if with_link and message.link else ""
    return (cut_lines(told, limit - len(link)) + link).strip()
