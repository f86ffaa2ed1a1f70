"""`footfall replay resend`: chosen triggers again, to one destination. docs/resend.md."""
