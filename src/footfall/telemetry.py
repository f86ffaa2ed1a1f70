"""Every metric, declared once: kind, labels and meaning. Names begin with `footfall_`, units last.

No label may hold anything of a customer (law 6).
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# collector
ACCEPTED = Counter("footfall_accepted", "Interactions acknowledged by the broker", ["source"])
REJECTED = Counter("footfall_rejected", "Refused, at which stage and why", ["stage", "reason"])
REFUSED = Counter("footfall_refused_requests", "Requests refused as a whole, by code", ["code"])
ACK_SECONDS = Histogram("footfall_ack_seconds", "From a request's body to the broker's answer")
UNSENT = Gauge("footfall_unsent_records", "Records that wait for the broker's acknowledgement")

# worker
PROCESSED = Counter("footfall_processed", "Log records applied, by kind", ["type"])
DUPLICATES = Counter("footfall_duplicates", "Log records recognised as repeats", ["kind"])
TRIGGERS = Counter("footfall_triggers", "Triggers emitted", ["name"])
LIMITED = Counter("footfall_limited_steps", "Steps of rows of which a limit has cut facts off",
                  ["table"])
TICKS = Counter("footfall_ticks", "Ticks appended")
SETTLED = Counter("footfall_settled", "Deadlines revealed late, which had to settle", ["table"])
CHECKPOINT_SECONDS = Histogram("footfall_checkpoint_seconds", "Time of one checkpoint")
RECOVERY_SECONDS = Gauge("footfall_recovery_seconds", "Time the last recovery took")
STALE_RECORDS = Counter("footfall_stale_records", "Changelog rows older than the best, rewritten")
CONTROL_OFFSETS = Counter("footfall_control_offsets", "Log offsets that hold no record")
HELD = Gauge("footfall_held", "1 while a record appended ahead of our clock holds the partition",
             ["partition"])
LAG = Gauge("footfall_lag_records", "Log records not yet applied", ["partition"])
CLOCK = Gauge("footfall_clock_seconds", "The log's clock", ["partition"])
CUSTOMERS = Gauge("footfall_customers", "Customer records held", ["partition"])
