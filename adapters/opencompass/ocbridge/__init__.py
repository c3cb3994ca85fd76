"""What runs inside OpenCompass's environment.  Imports the standard library and that environment only, never bridge.

``inside.py`` registers it as the top-level package ``ocbridge``. ``lay_out`` is used on both sides: it needs neither.
"""
