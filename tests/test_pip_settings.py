from __future__ import annotations

from pathlib import Path

import pytest

from bridge.pip_settings import no_index, pip_files, uv_variables


def test_pips_variables_become_uvs(tmp_path: Path) -> None:
    pip = {
        "PIP_INDEX_URL": "https://mirror/simple",
        "PIP_EXTRA_INDEX_URL": "https://a/simple  https://b/simple",
        "PIP_FIND_LINKS": f"{tmp_path} /not/there https://wheels.example/list file://{tmp_path}",
        "PIP_CERT": "/etc/ca.pem",
        "PIP_DEFAULT_TIMEOUT": "180",
        "PIP_RETRIES": "2",
        "PIP_TRUSTED_HOST": "a b",
        "PIP_PROXY": "http://proxy:3128",
    }
    assert uv_variables(pip, {}) == {
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "UV_INDEX": "https://a/simple https://b/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": f"{tmp_path},https://wheels.example/list,file://{tmp_path}",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_HTTP_TIMEOUT": "180",
        "UV_HTTP_RETRIES": "2",
        "UV_INSECURE_HOST": "a b",
        "HTTPS_PROXY": "http://proxy:3128",
        "HTTP_PROXY": "http://proxy:3128",
    }


@pytest.mark.parametrize(
    ("pip", "uv"),
    [
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_INDEX_URL", "UV_INDEX_URL"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"),
        ("PIP_CERT", "SSL_CERT_FILE"),
        ("PIP_TIMEOUT", "UV_HTTP_TIMEOUT"),
    ],
)
def test_what_is_set_for_uv_stays(pip: str, uv: str) -> None:
    assert uv_variables({pip: "pip's", uv: "uv's"}, {}) == {}


def test_a_strategy_that_is_set_stays() -> None:
    environ = {"PIP_EXTRA_INDEX_URL": "https://a/simple", "UV_INDEX_STRATEGY": "first-index"}
    assert uv_variables(environ, {}) == {"UV_INDEX": "https://a/simple"}


def test_nothing_set_changes_nothing() -> None:
    assert uv_variables({"PATH": "/bin"}, {}) == {}


USERS = """
[global]
index_url = https://user/simple
find-links =
    /one
    /two
[install]
timeout = 5
"""


def test_files_in_pips_order(tmp_path: Path) -> None:
    for folder, text in {
        "xdg/pip": "[global]\nindex-url = https://machine/simple\nretries = 9\n",
        "home/.pip": "[global]\nindex-url = https://legacy/simple\n",
        "home/.config/pip": USERS,
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "pip.conf").write_text(text, encoding="utf-8")
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}
    said = pip_files(environ)
    assert said["index-url"] == "https://user/simple"
    assert said["find-links"].split() == ["/one", "/two"]
    assert (said["timeout"], said["retries"]) == ("5", "9")

    named = tmp_path / "named.conf"
    named.write_text(
        "[global]\nindex-url = https://named/simple\n[install]\nindex-url = https://install/simple\n", "utf-8"
    )
    environ["PIP_CONFIG_FILE"] = str(named)
    assert uv_variables(environ)["UV_DEFAULT_INDEX"] == "https://install/simple"
    environ["PIP_INDEX_URL"] = "https://variable/simple"
    assert uv_variables(environ)["UV_DEFAULT_INDEX"] == "https://variable/simple"


def test_no_files_at_all(tmp_path: Path) -> None:
    assert pip_files({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}) == {}


def test_a_broken_file_says_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "pip.conf"
    broken.write_bytes(b"\xff\xfe[glo\nbal = ]")
    before = pip_files({"HOME": str(tmp_path)})
    assert pip_files({"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(broken)}) == before


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_no_index(value: str, expected: bool) -> None:
    assert no_index({"PIP_NO_INDEX": value}, {}) is expected
    assert no_index({}, {"no-index": value}) is expected
