"""Jinja templates of `bridge view`, as package data; the parts of a report are in `bridge.report.templates`."""
