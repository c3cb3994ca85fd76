"""The texts are uv's own, as it wrote them."""

from __future__ import annotations

import pytest

from bridge.env_errors import explain

NO_SOLUTION = "error: No solution found when resolving dependencies\n  cause: Because "
CASES = {
    "error: Failed to write\n  cause: No space left on device (os error 28)": "the disk is full",
    "error: No interpreter found for Python 3.11 in managed installations or search path": "there is no Python 3.11 on",
    "error: Failed to inspect Python interpreter from first executable in the search path at `/p/python3.9`\n"
    "  cause: Querying Python at `/p/python3.9` failed with exit status exit status: 127": "/p/python3.9 does not work",
    "error: Couldn't parse requirement in `bad.txt` at position 0\n  cause: no such": "bad.txt is broken",
    f"{NO_SOLUTION}there is no version of six==99.0 and you require six==99.0": "six==99.0 is not in the package index",
    f"{NO_SOLUTION}xyzzy was not found in the package registry and you require it": "xyzzy is not in the package index",
    f"{NO_SOLUTION}six was not found in the cache and you require six==1.17.0": "stay offline",
    "error: Request failed after 3 retries in 5.7s\n  cause: Failed to fetch: http://nohost.invalid/simple/six/\n"
    "  cause: dns error\n  cause: Name or service not known": "cannot fetch http://nohost.invalid/simple/six/ (Name or",
    "error: Failed to fetch: `https://a/`\n  cause: invalid peer certificate: UnknownIssuer": "is not trusted",
    "error: Failed to fetch: `https://a/`\n  cause: HTTP status client error (401 Unauthorized)": "refuses access",
    "error: Failed to build `crcmod==1.7`\n  cause: The build backend returned an error": "cannot build crcmod==1.7",
    "error: something that nobody has seen before\n  more": "something that nobody has seen before",
    "": "uv failed and said nothing",
}


@pytest.mark.parametrize(("said", "expected"), CASES.items())
def test_uvs_words_are_explained(said: str, expected: str) -> None:
    what, hint = explain(said.splitlines())
    assert expected in what
    assert (hint == "") is (not said or "nobody" in said)
