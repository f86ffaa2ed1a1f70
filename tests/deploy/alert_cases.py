"""For each alert what makes it fire, what whoever is called then reads, and what leaves it quiet.

Series are written as promtool reads them, a sample every 15 s from time 0: `0+5x8` is 0, 5, ... 40,
`1x8` nine times 1, `_` none, `stale` the end of a series.
"""

from __future__ import annotations

from dataclasses import dataclass, field

STEP = "15s"
Samples = dict[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One alert at one time of two sets of series or more."""

    alert: str
    at: str
    fires: Samples
    summary: str
    labels: dict[str, str] = field(default_factory=dict)
    quiet: tuple[Samples, ...] = ()


_W1, _W2 = 'job="worker",instance="w1:9100"', 'job="worker",instance="w2:9100"'
_C1, _C2 = 'job="collector",instance="c1:8080"', 'job="collector",instance="c2:8080"'
_OF_W1 = {"job": "worker", "instance": "w1:9100"}
_OF_C1 = {"job": "collector", "instance": "c1:8080"}
_CLOCK, _LAG = "footfall_clock_seconds", "footfall_lag_records"
_STANDS = {f'{_CLOCK}{{{_W1},partition="3"}}': "0+15x8 120x60",
           f'{_LAG}{{{_W1},partition="3"}}': "0x8 1+50x60"}
_IDLE = {f'{_CLOCK}{{{_W1},partition="3"}}': "0+15x8 120x60",
         f'{_LAG}{{{_W1},partition="3"}}': "0x70"}
_BUSY = {f'{_CLOCK}{{{_W1},partition="3"}}': "0+15x60",
         f'{_LAG}{{{_W1},partition="3"}}': "500x60"}


def _collector(received: str, accepted: str, in_flight: str) -> Samples:
    return {f'footfall_received_total{{{_C1},source="web"}}': received,
            f'footfall_accepted_total{{{_C1},source="web"}}': accepted,
            f'footfall_repeated_total{{{_C1},source="web"}}': "0+1x80",
            f'footfall_unacknowledged_total{{{_C1},source="web"}}': "0x80",
            f'footfall_rejected_total{{{_C1},stage="collector",reason="not_json"}}': "0+2x80",
            f"footfall_in_flight_requests{{{_C1}}}": in_flight}


def _hours(processed: str, start: str = "0x400", lag: str = "0x400") -> Samples:
    """100 interactions every 15 s, of which 2 are repeats and 3 rejected, and a violation."""
    return {f'footfall_accepted_total{{{_C1},source="web"}}': "0+100x400",
            f'footfall_plan_events_total{{{_C1},source="web"}}': "0+1x400",
            f'footfall_processed_total{{{_W1},type="track"}}': processed,
            f'footfall_processed_total{{{_W1},type="violation"}}': "0+1x400",
            f'footfall_processed_total{{{_W1},type="$tick"}}': "0+10x400",
            f'footfall_duplicates_total{{{_W1},kind="message_id"}}': "0+2x400",
            f'footfall_rejected_total{{{_W1},stage="worker",reason="key_invalid"}}': "0+3x400",
            f'{_LAG}{{{_W1},partition="0"}}': lag,
            f"footfall_spool_bytes{{{_C1}}}": "0x400",
            f"process_start_time_seconds{{{_C1}}}": "0x400",
            f"process_start_time_seconds{{{_W1}}}": start}


_PROCESSES = (
    Case("FootfallWorkerAbsent", "8m", {f"up{{{_W1}}}": "1x16 0x20", f"up{{{_C1}}}": "1x40"},
         "No worker answers. Interactions are taken and kept, but nothing is told.",
         {}, ({f"up{{{_W1}}}": "1x16 0x20", f"up{{{_W2}}}": "1x40"},)),
    Case("FootfallCollectorAbsent", "8m", {f"up{{{_C1}}}": "1x16 stale", f"up{{{_W1}}}": "1x40"},
         "No collector answers. What apps send now is kept by those that can, or lost.",
         {}, ({f"up{{{_C1}}}": "1x16 stale", f"up{{{_C2}}}": "1x40"},)),
    Case("FootfallDeliveryAbsent", "10m",
         {'up{job="delivery",instance="d1:9100"}': "1x16 stale", f"up{{{_W1}}}": "1x40"},
         "No delivery process answers. Triggers wait in their topic, for 7 days.",
         {},
         ({f"up{{{_W1}}}": "1x40"}, {'up{job="delivery",instance="d1:9100"}': "1x40"})),
    Case("FootfallProcessDown", "8m", {f"up{{{_W1}}}": "1x16 0x20", f"up{{{_W2}}}": "1x40"},
         "The worker at w1:9100 does not answer.", _OF_W1,
         ({f"up{{{_W1}}}": "1x24 0x4 1x20", f"up{{{_W2}}}": "1x16 stale"},)),
    Case("FootfallRestarting", "20m",
         {f"process_start_time_seconds{{{_W1}}}": "1x10 200x10 400x10 600x10 800x40"},
         "The worker at w1:9100 was started 4 times within half an hour.", _OF_W1,
         ({f"process_start_time_seconds{{{_W1}}}": "1x10 200x80"},)),
    Case("FootfallPartitionsUnowned", "20m",
         {f'{_CLOCK}{{{_W1},partition="0"}}': "0+15x90", f'{_CLOCK}{{{_W1},partition="1"}}':
          "0+15x90", f'{_CLOCK}{{{_W2},partition="2"}}': "0+15x40 stale"},
         "Only 2 partitions are worked on; the others' customers wait.", {},
         ({f'{_CLOCK}{{{_W1},partition="0"}}': "0+15x90", f'{_CLOCK}{{{_W1},partition="1"}}':
           "_x41 615+15x50", f'{_CLOCK}{{{_W2},partition="1"}}': "0+15x40 stale"},)),
    Case("FootfallRecoveryLong", "5m", {f"footfall_recovery_seconds{{{_W1}}}": "0x8 75x20"},
         "The worker at w1:9100 took 75 s to recover; its customers waited so long.", _OF_W1,
         ({f"footfall_recovery_seconds{{{_W1}}}": "0x8 12x20",
           f"footfall_recovery_seconds{{{_W2}}}": "75x40"},)),
    Case("FootfallRebalancing", "20m",
         {f"footfall_rebalances_total{{{_W1}}}": "0x8 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8x60"},
         "Partitions of the worker at w1:9100 move to and fro.", _OF_W1,
         ({f"footfall_rebalances_total{{{_W1}}}": "0x8 1 1 2x60"},)),
)
_LOG = (
    Case("FootfallLag", "10m", _STANDS, "Partition 3 of the worker is 480 s behind.",
         {"job": "worker", "partition": "3"}, (_IDLE, _BUSY)),
    Case("FootfallClockStuck", "10m", _STANDS,
         "Partition 3 of the worker at w1:9100 has records and does not move.",
         {**_OF_W1, "partition": "3"},
         (_IDLE, {f'{_CLOCK}{{{_W1},partition="3"}}': "0+1x60",
                  f'{_LAG}{{{_W1},partition="3"}}': "5000x60"})),
    Case("FootfallPartitionHeld", "5m", {f'footfall_held{{{_W1},partition="3"}}': "0x8 1x20"},
         "Partition 3 waits for a record from the future: a broker's clock and the worker's are "
         "more than a minute apart.", {"job": "worker", "partition": "3"},
         ({f'footfall_held{{{_W1},partition="3"}}': "0x8 1x2 0x20"},)),
    Case("FootfallStaleRecords", "6m", {f"footfall_stale_records_total{{{_W1}}}": "0x8 2x20"},
         "A worker that had been replaced wrote to the changelog; its records were put right.",
         {"job": "worker"}, ({f"footfall_stale_records_total{{{_W1}}}": "2x30"},)),
    Case("FootfallCollectorUnaccounted", "18m", _collector("0x4 13+3x80", "0x4 5x80", "0x90"),
         "The collector at c1:8080 has received 7 items of which it cannot say what became of "
         "them.", _OF_C1,
         # What is in flight is no mismatch; nor is what the sums show for a moment.
         (_collector("0x4 13+3x80", "0x4 5x80", "1x90"),
          _collector("0+10x80", "0+7x80", "0x90"),
          _collector("0+10x50 501+10x8 590+10x40", "0+7x80", "0x90"))),
    Case("FootfallEventsUnaccounted", "90m", _hours("0+85x400"),
         "Of the interactions accepted within an hour 2400 were neither processed nor rejected, "
         "and none waits.", {},
         (_hours("0+95x400"), _hours("0+85x400", start="0x200 3000x200"),
          _hours("0+85x400", lag="0x300 500x100"))),
)
_INTAKE = (
    Case("FootfallNoTraffic", "24h10m", {
        f'footfall_accepted_total{{{_C1},source="web"}}': "0+10x40 400x5800"},
         "Nothing was accepted for half an hour; at this time yesterday there was traffic.", {},
         ({f'footfall_accepted_total{{{_C1},source="web"}}': "0x5800"},
          {f'footfall_accepted_total{{{_C1},source="web"}}': "0+10x5800"})),
    Case("FootfallRejectedRatio", "20m",
         {f'footfall_rejected_total{{{_C1},stage="collector",reason="not_json"}}': "0+10x80",
          f'footfall_received_total{{{_C1},source="web"}}': "0+100x80"},
         "The collector rejects 10% of what it is sent.", {},
         ({f'footfall_rejected_total{{{_C1},stage="collector",reason="not_json"}}': "0+4x80",
           f'footfall_received_total{{{_C1},source="web"}}': "0+100x80"},
          {f'footfall_rejected_total{{{_C1},stage="collector",reason="not_json"}}': "0x40 2x40",
           f'footfall_received_total{{{_C1},source="web"}}': "0x40 3x40"})),
    Case("FootfallRejectedFromLog", "6m",
         {f'footfall_rejected_total{{{_W1},stage="worker",reason="avro_invalid"}}': "0x8 1x40"},
         "Records of the log were rejected by the worker as avro_invalid.",
         {"stage": "worker", "reason": "avro_invalid"},
         ({f'footfall_rejected_total{{{_C1},stage="collector",reason="not_json"}}': "0+1x40",
           f'footfall_rejected_total{{{_W1},stage="worker",reason="avro_invalid"}}': "1x40"},)),
    Case("FootfallCollectorFails", "8m",
         {f'footfall_refused_requests_total{{{_C1},code="overloaded"}}': "0x4 0+5x40"},
         "The collector answers 5xx with overloaded.", {"code": "overloaded"},
         ({f'footfall_refused_requests_total{{{_C1},code="overloaded"}}': "0x20 3x40",
           f'footfall_refused_requests_total{{{_C1},code="not_json"}}': "0+5x40"},)),
    Case("FootfallSpooling", "8m", {f"footfall_spool_bytes{{{_C1}}}": "0x4 1048576x40"},
         "The collector at c1:8080 keeps 1MiB on its disk: the log does not take them.", _OF_C1,
         ({f"footfall_spool_bytes{{{_C1}}}": "0x4 1048576x8 0x40"},)),
    Case("FootfallSpoolLost", "6m",
         {f'footfall_spool_lost_records_total{{{_C1},reason="damaged"}}': "0x8 1x40"},
         "The disk of the collector at c1:8080 has damaged spooled records.",
         {**_OF_C1, "reason": "damaged"},
         ({f'footfall_spool_lost_records_total{{{_C1},reason="cut"}}': "0x8 1x40"},)),
)


def _of_crm(metric: str, samples: str, extra: str = "") -> Samples:
    return {f'{metric}{{job="delivery",instance="d1:9100",destination="crm"{extra}}}': samples}


_STATE, _WAITING = "footfall_delivery_destination_state", "footfall_deliveries_waiting"
_OUTCOMES = "footfall_deliveries_total"
_DELIVERY = (
    Case("FootfallDestinationDisabled", "6m", _of_crm(_STATE, "0x8 2x20"),
         "Destination crm is disabled and gets nothing.", {"destination": "crm"},
         (_of_crm(_STATE, "0x8 1x20"),)),
    Case("FootfallBreakerOpen", "14m", _of_crm(_STATE, "0x8 1x60"),
         "Destination crm fails; one attempt is made now and then.", {"destination": "crm"},
         (_of_crm(_STATE, "0x8 1x20 0x4 1x40"), _of_crm(_STATE, "2x60"))),
    Case("FootfallBacklog", "20m", _of_crm(_WAITING, "0x8 20000x80"),
         "20000 deliveries wait for crm; at 100,000 of a partition new ones are dead.",
         {"destination": "crm"},
         (_of_crm(_WAITING, "9000x90"), _of_crm(_WAITING, "20000x40 0x50"))),
    Case("FootfallDeadLetters", "6m",
         _of_crm(_OUTCOMES, "0x8 2x20", ',status="dead",reason="retries_exhausted"'),
         "Deliveries to crm were given up as retries_exhausted.",
         {"destination": "crm", "reason": "retries_exhausted"},
         (_of_crm(_OUTCOMES, "0+2x30", ',status="failed",reason="timeout"'),)),
    Case("FootfallMissedTriggers", "6m",
         {'footfall_delivery_missed_triggers_total{job="delivery"}': "0x8 5x20"},
         "Retention took triggers before they could be delivered.", {},
         ({'footfall_delivery_missed_triggers_total{job="delivery"}': "5x30"},)),
)
_STORES = (
    Case("FootfallViewAway", "6m", {f"footfall_view_away{{{_W1}}}": "0x8 1x20"},
         "The worker at w1:9100 cannot write the served view; what needs consent is not delivered "
         "meanwhile.", _OF_W1, ({f"footfall_view_away{{{_W1}}}": "0x8 1x4 0x20"},)),
    Case("FootfallArchiveStuck", "210m",
         {'footfall_archive_lag_records{job="archive",partition="0"}': "1000+10x900",
          'footfall_archived_records_total{job="archive"}': "50x900"},
         "The archive has closed no file for hours, and the log has records for it.", {},
         ({'footfall_archive_lag_records{job="archive",partition="0"}': "1000x900",
           'footfall_archived_records_total{job="archive"}': "0x240 10x240 20x240 30x240"},
          {'footfall_archive_lag_records{job="archive",partition="0"}': "0x900",
           'footfall_archived_records_total{job="archive"}': "50x900"})),
)
_DAY_S = 86_400


def _certificate(expires: str, destination: str = "") -> Samples:
    return {f'footfall_certificate_expires_timestamp_seconds{{{_C1},certificate="kafka_client",'
            f'destination="{destination}",copy="in_use"}}': expires}


def _key(name: str, days: int) -> Samples:
    return {f'footfall_key_created_timestamp_seconds{{{_C1},key="{name}"}}': f"{-days * _DAY_S}x80"}


_KEYS = (
    Case("FootfallCertificateExpires", "15m", _certificate(f"{_DAY_S}x80"),
         "kafka_client, a certificate of the collector (in_use), is valid for 85500 s more.",
         {"job": "collector", "certificate": "kafka_client", "copy": "in_use"},
         # A start with a renewed one; and one that is only soon.
         (_certificate(f"{_DAY_S}x20 {90 * _DAY_S}x60"), _certificate(f"{3 * _DAY_S}x80"))),
    Case("FootfallCertificateExpiresSoon", "15m", _certificate(f"{10 * _DAY_S}x80", "partner"),
         "kafka_client of destination partner, a certificate of the collector (in_use), is valid "
         "for 10 days more.",
         {"job": "collector", "certificate": "kafka_client", "destination": "partner",
          "copy": "in_use"},
         # Of one that ends within two days its own alert calls; one that ended, too.
         (_certificate(f"{15 * _DAY_S}x80"), _certificate(f"{_DAY_S}x80"), _certificate("0x80"))),
    Case("FootfallKeyOld", "15m", _key("write_keys.web", 400),
         "Key write_keys.web is 400 days old.", {"key": "write_keys.web"},
         (_key("write_keys.web", 364),)),
)
CASES = (*_PROCESSES, *_LOG, *_INTAKE, *_DELIVERY, *_STORES, *_KEYS)
