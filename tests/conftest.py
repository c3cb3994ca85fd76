"""Examples of hypothesis are not timed: the tests run side by side, on machines that do other work as well."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
