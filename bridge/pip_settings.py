"""pip's settings, said in uv's words: a mirror, a folder of wheels or a certificate that is set for pip just works.

What is set for uv itself stays as it is. pip reads its configuration files in this order, later ones win: the
machine's, the user's, the virtual environment's, ``PIP_CONFIG_FILE``; and ``PIP_…`` variables win over all files.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

SECTIONS = ("global", "install")
"""Of a pip configuration file; the later one wins."""


@dataclass(frozen=True)
class _Setting:
    pip: tuple[str, ...]
    """Its names in pip's files; in the environment ``PIP_`` and capitals."""
    uv: tuple[str, ...]
    """uv's variables: the first one is set, unless one of them is set already."""
    in_uvs_words: Callable[[str], str] = str.strip


def _locations(value: str) -> str:
    """pip ignores a folder that is not there, uv refuses it."""
    return ",".join(place for place in value.split() if _is_remote(place) or _local(place).exists())


def _is_remote(place: str) -> bool:
    return urlsplit(place).scheme in ("http", "https")


def _local(place: str) -> Path:
    return Path(unquote(urlsplit(place).path)) if place.startswith("file:") else Path(place).expanduser()


def _words(value: str) -> str:
    return " ".join(value.split())


SETTINGS = (
    _Setting(("index-url",), ("UV_DEFAULT_INDEX", "UV_INDEX_URL")),
    _Setting(("extra-index-url",), ("UV_INDEX", "UV_EXTRA_INDEX_URL"), _words),
    _Setting(("find-links",), ("UV_FIND_LINKS",), _locations),
    _Setting(("cert",), ("SSL_CERT_FILE",)),
    _Setting(("timeout", "default-timeout"), ("UV_HTTP_TIMEOUT",)),
    _Setting(("retries",), ("UV_HTTP_RETRIES",)),
    _Setting(("trusted-host",), ("UV_INSECURE_HOST",), _words),
    _Setting(("proxy",), ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")),
    _Setting(("proxy",), ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")),
)


def uv_variables(environ: Mapping[str, str], files: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables to add to ``environ`` for uv; ``files`` is what pip's configuration files say."""
    said = pip_files(environ) if files is None else files
    found: dict[str, str] = {}
    for setting in SETTINGS:
        value = _pip_value(setting, environ, said)
        if value is not None and not any(environ.get(name) for name in setting.uv):
            found[setting.uv[0]] = setting.in_uvs_words(value)
    if "UV_INDEX" in found and "UV_INDEX_STRATEGY" not in environ:
        # pip looks into every index; uv on its own stops at the first that knows the package in whatever version.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in found.items() if value}


def no_index(environ: Mapping[str, str], files: Mapping[str, str] | None = None) -> bool:
    """Whether pip is told to use nothing but ``find-links``; uv has no variable for that, only ``--no-index``."""
    said = pip_files(environ) if files is None else files
    return environ.get("PIP_NO_INDEX", said.get("no-index", "")).strip().lower() in ("1", "true", "yes", "on")


def _pip_value(setting: _Setting, environ: Mapping[str, str], said: Mapping[str, str]) -> str | None:
    variables = ((environ, f"PIP_{name.upper().replace('-', '_')}") for name in setting.pip)
    return next(
        (source[name] for source, name in (*variables, *((said, n) for n in setting.pip)) if name in source), None
    )


def pip_files(environ: Mapping[str, str]) -> dict[str, str]:
    """What pip's configuration files say, option → value. A file that cannot be read says nothing."""
    said: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for path in _config_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, configparser.Error):
            continue
        for section in SECTIONS:
            if parser.has_section(section):
                said[section] |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    return said["global"] | said["install"]


def _config_files(environ: Mapping[str, str]) -> Iterator[Path]:
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home = Path(environ.get("HOME") or Path.home())
    for folder in reversed((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    yield Path(sys.prefix) / "pip.conf"
    if named:
        yield Path(named)
