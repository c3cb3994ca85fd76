"""Scripts and style of `bridge view`, as package data. htmx is vendored: its licence lies beside it."""
