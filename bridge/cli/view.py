"""``bridge view``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.ending import ended
from bridge.errors import Problem, SpecError


@ended
def command(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR…]", help="Folders with runs, or runs; default: runs.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; with anything but loopback a token is asked for.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 7380,
    static: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Start no server: write the pages as files into this folder.")
    ] = None,
    language: Annotated[str, typer.Option(help="With --static: en or zh.")] = "en",
) -> None:
    """Look at runs in a browser: scores, samples, comparisons.

    Prints the address. Nothing is sent anywhere, and nothing can be changed from the pages.
    """
    given = _folders(folders or [Path("runs")])
    if static is not None:
        from bridge.report.language import LANGUAGES
        from bridge.view.site import write_site

        if language not in LANGUAGES:
            raise SpecError([Problem("--language", "", f"{language!r} is none", f"give one of {', '.join(LANGUAGES)}")])
        for path in write_site(given, static, language):
            print(path)
        return
    from bridge.view.serving import serve

    serve(given, host, port, lambda address: print(address, flush=True))


def _folders(folders: list[Path]) -> list[Path]:
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        hint = "give the folder that bridge run writes into (--output), or one above it"
        raise SpecError([Problem(str(folder), "", "there is no such folder", hint) for folder in missing])
    return folders
