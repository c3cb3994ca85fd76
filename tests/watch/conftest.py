from finetuned.conftest import server, spec

__all__ = ["server", "spec"]
