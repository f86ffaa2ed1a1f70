"""*Worker*: how each process does that folds the log, and its neighbours archive and jobs.

By partition and by process, for who looks closer than Pipeline does. Delivery is an engine over a
log, too: where a panel names jobs it is there as well.
"""

from __future__ import annotations

from boards.panels import (
    BYTES,
    BYTES_PER_SECOND,
    NUMBER,
    PER_SECOND,
    SECONDS,
    SHARE,
    SINCE_1970,
    Board,
    Choice,
    Panel,
    Query,
    hour,
    now,
    one,
    quantiles,
    rate,
)

_PARTITION = 'partition=~"$partition"'
_INSTANCE = 'instance=~"$instance"'

BOARD = Board(
    "Worker",
    "Lag and clock of each partition, checkpoints, recovery, rebalances, memory; the served view, "
    "the archive and replay jobs.",
    (
        ("Partitions", (
            Panel("Lag of each partition", "Log records not yet applied. One alone that grows: its "
                  "worker stands, or its customers send more than a core takes", NUMBER,
                  one(f"sum by (job, partition) (footfall_lag_records{{{_PARTITION}}})",
                      "{{job}} {{partition}}")),
            Panel("Clock behind", "Time since the newest record of a partition. A partition alone "
                  "that grows while others do not is stuck, or quiet", SECONDS,
                  one("time() - max by (job, partition) "
                      f"(footfall_clock_seconds{{{_PARTITION}}} > 0)", "{{job}} {{partition}}"),
                  signed=True),
            Panel("Held", "1 while a record that was appended ahead of the worker's clock, or a "
                  "rebuild's swap, holds the partition. For more than a minute: clocks of brokers "
                  "and workers differ", NUMBER,
                  one(f"max by (job, partition) (footfall_held{{{_PARTITION}}})",
                      "{{job}} {{partition}}")),
            Panel("Partitions of each process", "They should be shared out evenly; together as "
                  "many as there are", NUMBER,
                  one(f"count by (job, instance) (footfall_clock_seconds{{{_INSTANCE}}})",
                      "{{job}} {{instance}}"), stacked=True),
            Panel("Customers of each partition", "Customer records held. Uneven by more than a "
                  "little: one identifier stands for many", NUMBER,
                  one(f"sum by (partition) (footfall_customers{{{_PARTITION}}})",
                      "{{partition}}")),
            Panel("Processed by each worker", "Log records applied. A core takes some tens of "
                  "thousands a second", PER_SECOND,
                  rate(f"footfall_processed_total{{{_INSTANCE}}}", "instance")),
        )),
        ("Durable", (
            Panel("Checkpoint", "Time of one checkpoint. Above a second: brokers are slow", SECONDS,
                  quantiles("footfall_checkpoint_seconds", where=f"{{{_INSTANCE}}}")),
            Panel("Outbox", "Bytes that wait for the broker's acknowledgement, of workers and "
                  "delivery. It should come back to 0", BYTES,
                  now(f"footfall_outbox_bytes{{{_INSTANCE}}}", "job", "instance")),
            Panel("Written", "Bytes that the broker has acknowledged to workers and delivery",
                  BYTES_PER_SECOND, rate(f"footfall_written_bytes_total{{{_INSTANCE}}}", "topic")),
        )),
        ("Recovery", (
            Panel("Rebalances", "Assignments of partitions taken up, within an hour. To and fro "
                  "without a start: a worker is starved, or has no FOOTFALL_WORKER_ID", NUMBER,
                  hour("footfall_rebalances_total", "job")),
            Panel("Recovery", "Time that each process' last recovery took: so long its customers "
                  "waited. More workers, fewer customers each", SECONDS,
                  one(f"max by (instance) (footfall_recovery_seconds{{{_INSTANCE}}})",
                      "{{instance}}")),
            Panel("Recovered", "Records that each process has read back since it started", NUMBER,
                  now(f"footfall_recovered_records_total{{{_INSTANCE}}}", "instance")),
            Panel("Stale records", "Changelog records behind a better one of their key, found in "
                  "recovery and put right, since processes started. More than 0: a worker wrote "
                  "that had been replaced", NUMBER,
                  now("footfall_stale_records_total", "job", "instance")),
            Panel("Offsets without a record", "Passed after reading them once more: marks of "
                  "transactions of others who write to the log. Nothing is missing", NUMBER,
                  hour("footfall_control_offsets_total", "job")),
        )),
        ("Time", (
            Panel("Ticks and settling", "Timers that came due in silence, and deadlines found "
                  "late", PER_SECOND,
                  (*rate("footfall_ticks_total", called="ticks"),
                   Query("sum by (table) (rate(footfall_settled_total[$__rate_interval]))",
                         "settled {{table}}"))),
        )),
        ("Processes", (
            Panel("Memory", "Resident memory of each process. It grows with customers; at its "
                  "limit add a worker", BYTES,
                  one(f"sum by (job, instance) (process_resident_memory_bytes{{{_INSTANCE}}})",
                      "{{job}} {{instance}}")),
            Panel("CPU", "Cores that each process uses. A worker at 1 is at its end: add another",
                  NUMBER, rate(f"process_cpu_seconds_total{{{_INSTANCE}}}", "job", "instance")),
            Panel("Running since", "When each process was started. Again and again: its last line "
                  "in the log says why", SINCE_1970,
                  one(f"1000 * max by (job, instance) (process_start_time_seconds{{{_INSTANCE}}})",
                      "{{job}} {{instance}}"), stat=True),
            Panel("Certificates", "Time for which certificates are valid, as processes read them "
                  "at their start and as they would now; 0 and below: expired, or not readable. A "
                  "renewed file is used from the next start on", SECONDS,
                  one("min by (certificate, destination, copy) "
                      "(footfall_certificate_expires_timestamp_seconds) - time()",
                      "{{certificate}} {{destination}} {{copy}}"), signed=True),
            Panel("Age of keys", "Time since keys were made, where FOOTFALL_KEY_DATES says it. "
                  "Above a year: make new ones", SECONDS,
                  one("time() - min by (key) (footfall_key_created_timestamp_seconds)",
                      "{{key}}")),
        )),
        ("Served view", (
            Panel("View behind", "How old the view of a partition was, at most, each time it "
                  "caught up. Above a second: Redis is slow or away", SECONDS,
                  quantiles("footfall_view_staleness_seconds")),
            Panel("View written", "Customer records sent to the view", PER_SECOND,
                  rate("footfall_view_written_total", "instance")),
            Panel("View waiting", "Records that wait to be sent to it. It should come back to 0",
                  NUMBER, now("footfall_view_waiting_records", "instance")),
            Panel("View away", "1 while a worker cannot write the view: mend Redis. What needs "
                  "consent is not delivered meanwhile", NUMBER,
                  now("footfall_view_away", "instance")),
            Panel("View failures", "Attempts to write the view that failed, within an hour, by "
                  "reason. out_of_memory: give Redis more", NUMBER,
                  hour("footfall_view_failures_total", "reason")),
            Panel("View walks", "Partitions of which all records were looked through to bring the "
                  "view up, within an hour. overflow: too many waited", NUMBER,
                  hour("footfall_view_walks_total", "reason")),
            Panel("Index of triggers", "Triggers for the index of the view. dropped: read them in "
                  "their topic", PER_SECOND, rate("footfall_view_triggers_total", "outcome")),
        )),
        ("Archive", (
            Panel("Archived", "Log records in files that are complete", PER_SECOND,
                  rate("footfall_archived_records_total", called="records")),
            Panel("Archived bytes", "Size of these files: what the archive's store takes",
                  BYTES_PER_SECOND, rate("footfall_archived_bytes_total", "format")),
            Panel("Archive lag", "Log records that are in no complete file yet: it falls as files "
                  "are closed, and must stay far below what retention holds", NUMBER,
                  now("footfall_archive_lag_records", "partition")),
        )),
        ("Jobs", (
            Panel("Jobs", "Replay, import and other jobs with --metrics-file: 1 while they run",
                  NUMBER, one("max by (command) (footfall_job_running)", "{{command}}")),
            Panel("Progress of jobs", "Records done of those to be done, by stage. It stands: look "
                  "at the job's own screen", SHARE,
                  one("max by (command, stage) (footfall_job_records) / "
                      "(max by (command, stage) (footfall_job_records_expected) > 0)",
                      "{{command}} {{stage}}")),
            Panel("Jobs' reports", "When each job's last report was made. Longer ago than its last "
                  "run: it ended without one, run it again", SINCE_1970,
                  one("1000 * max by (command) (footfall_job_reported_timestamp_seconds > 0)",
                      "{{command}}"), stat=True),
        )),
    ),
    choices=(
        Choice("instance", "Process",
               "label_values(footfall_checkpoint_seconds_count, instance)"),
        Choice("partition", "Partition", "label_values(footfall_clock_seconds, partition)"),
    ),
)
