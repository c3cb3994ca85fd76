from __future__ import annotations

import pytest

from bridge.sandbox.trial import why_not


@pytest.fixture(scope="session", autouse=True)
def _sandbox_works() -> None:
    if why := why_not():
        pytest.skip(why)
