"""What if: the past through other rules, tables or settings, and what would be told. docs/what-if.md.
"""
