"""State made anew from the log, beside the live one, compared and put in its place.
docs/rebuild.md.
"""
