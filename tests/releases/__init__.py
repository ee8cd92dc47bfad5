"""A database of each release, as SQL text, and what makes it: `make release` calls `making`."""
