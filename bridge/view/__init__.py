"""`bridge view`: runs in a browser.

`library` finds them, `samples` and `search` read them, `pages` fills the templates, `server` hands them out behind
`guard`, and `site` writes the same as files.
"""
