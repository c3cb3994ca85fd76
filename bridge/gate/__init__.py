"""``bridge gate``: may the candidate take the baseline's place? Decided by a policy, from paired samples.

``policy_file`` reads the policy, ``judge`` puts runs and policy together, ``rule`` decides, ``plan`` says beforehand
what can be decided, ``text``, ``markdown`` and ``junit`` show the answer.
"""
