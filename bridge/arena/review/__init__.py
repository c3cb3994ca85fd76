"""People compare answers in a browser, blind: who wrote what is told after the vote."""
