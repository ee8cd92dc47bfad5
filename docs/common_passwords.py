"""`python -m docs.common_passwords FILE`: makes the shipped list from one of a password a line."""

import gzip
import sys
from pathlib import Path

from app.workspaces.common_passwords import FILE, LEAST_OWN, core_of

MORE = """
administrator adminadmin changeme changeit hunter defaultpassword mypassword newpassword
passphrase p455w0rd passwort kennwort geheim willkommen motdepasse azertyuiop soleil bonjour
contraseña contrasena bienvenido teamo senha minhasenha wachtwoord welkom hasło haslo heslo
lösenord losenord hejsan parola benvenuto пароль привет
automation n8n n8nio zapier workflow production secretkey supersecret topsecret
"""
"""What the list lacks: the word in other languages, and what people of this field would take."""


def draw_list(text: str) -> bytes:
    """The words in order, each once, packed; a line's break before the first and after the last."""
    words = {core_of(word) for word in (text + MORE).casefold().split()}
    lines = "\n".join(["", *sorted(word for word in words if len(word) >= LEAST_OWN), ""])
    return gzip.compress(lines.encode(), mtime=0)


if __name__ == "__main__":
    FILE.write_bytes(draw_list(Path(sys.argv[1]).read_text()))
