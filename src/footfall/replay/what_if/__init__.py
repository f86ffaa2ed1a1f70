"""What if: the past under another configuration, and what it would tell. docs/what-if.md."""
