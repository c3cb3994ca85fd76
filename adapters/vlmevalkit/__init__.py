"""VLMEvalKit (ms-vlmeval, or upstream): multimodal evaluation, translated to jobs and read back.

``launcher`` and ``inside.py`` run in VLMEvalKit's own environment; they use the standard library and what is there.
"""
