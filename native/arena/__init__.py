"""Arena: models compared on the same questions by judges, and what can be concluded from it."""
