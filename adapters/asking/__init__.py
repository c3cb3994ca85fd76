"""What jobs that bridge wrote itself have in common: asking through the gateway, keeping answers, asking a judge.

``toolbench`` and ``longbench_write`` are benchmarks without a framework: their jobs run in bridge's own environment.
These modules are all they share; none knows what is asked or how it is scored.
"""
