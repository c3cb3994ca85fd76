"""Runs inside a sandbox, by an interpreter that has the standard library and nothing else."""
