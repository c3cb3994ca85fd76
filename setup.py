"""Only the mapping of folders to packages; all metadata is in pyproject.toml."""

from setuptools import find_packages, setup

ROOMS = {"bridge": "bridge", "bridge.native": "native", "bridge.adapters": "adapters"}


def packages() -> list[str]:
    found = ["bridge", *(f"bridge.{p}" for p in find_packages("bridge", exclude=["native*", "adapters*"]))]
    for package in ("bridge.native", "bridge.adapters"):
        found += [package, *(f"{package}.{p}" for p in find_packages(ROOMS[package]))]
    return found


setup(package_dir=ROOMS, packages=packages())
