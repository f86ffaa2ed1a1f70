"""Every reason for which data is refused, by the stage that refuses it; docs/rejected.md says what
each means and what to do.

Closed sets: they are labels of `footfall_rejected_total`, which must stand at 0 before the first
one is refused. Must never hold what is not raised anywhere (a test reads the source).
"""

from __future__ import annotations

#: One item of a request (`FieldError`).
COLLECTOR = (
    "amount_out_of_range", "amount_unreadable", "call_not_allowed", "currency_unreadable",
    "event_not_allowed", "field_kind", "field_length", "field_missing", "identifier_blocked",
    "identifier_missing", "item_too_large", "lines_too_many", "message_id_length",
    "not_an_object", "not_json", "number_out_of_range", "plan_violated",
    "quantity_out_of_range", "text_not_unicode", "time_out_of_range", "time_unreadable",
    "too_deep", "type_conflict", "type_reserved", "type_unknown",
)
#: A record of the log (`DecodeError`, or a step that failed).
WORKER = (
    "amount_too_large", "avro_invalid", "avro_no_magic", "avro_trailing", "handoff_failed",
    "import_ledger_full", "key_invalid", "message_id_length", "reserved_forged", "reserved_unknown",
    "reserved_unreadable", "schema_refused", "schema_unknown", "step_failed", "time_out_of_range",
    "timer_failed", "too_many_lines", "unmerge_failed", "value_null",
)
