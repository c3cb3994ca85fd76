"""What runs in VLMEvalKit's environment: imports it once, then evaluates one dataset per forked process.

Nothing of bridge outside this folder can be imported here.
"""
