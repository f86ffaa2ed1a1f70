"""What each key of a routes file means, in a sentence: for editors (`routes_schema.py`) and
docs/delivery.md.

Decides the words alone; what a key may say is decided by the structs (`routes_row.py`), and a test
holds that every key of theirs is here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from footfall.delivery import routes_row

_THIN: Final = ("true: only trigger_id, name, customer_key and times are sent; the receiver asks "
                "for the rest")
_TEMPLATE: Final = "File of a Liquid template of what is sent, beside this file; the trigger as " \
                   "JSON where absent"

#: Heading -> (its struct, key -> what it means), in the order of docs/delivery.md. Of channels the
#: keys of every destination are left out.
KEYS: Final[dict[str, tuple[type[msgspec.Struct], dict[str, str]]]] = {
    "A file": (routes_row.RoutesFile, {
        "destinations": "Name -> where something can go: small letters, digits, _ and -, at most "
                        "64, beginning with a letter; at most 100",
        "routes": "A list of which triggers go where; at most 1,000",
    }),
    "A route": (routes_row.Route, {
        "triggers": "Names of triggers, one or a list; `*` at the end for all that begin so, `*` "
                    "alone for all",
        "where": "Path below the trigger's `data` -> the values that it may have, one or a list; "
                 "all paths must fit",
        "to": "Names of destinations, one or a list",
    }),
    "Every destination": (routes_row.Destination, {
        "purpose": "The consent category that it needs, such as marketing; `necessary` needs none",
        "medium": "By which consent and caps are counted: email, sms, push, ...; the channel where "
                  "absent",
        "timeout_s": "How long one attempt may take, 0.1 to 120",
        "concurrency_max": "How many are sent at the same time by one process, 1 to 1,000",
        "rate_per_s": "How many a second one process sends, up to 100,000; 0: as many as there are",
        "retry": "When a failed attempt is made again",
        "breaker": "When a failing destination is left in peace",
        "caps": "How many one customer gets, a list of at most 10",
        "quiet_hours": "When nothing is sent",
        "expires_s": "What has not been sent so long after its trigger fired is not sent any more; "
                     "0: never",
        "disable_after_s": "Failing, and only failing, for so long disables it; 0: never",
        "order": "`customer`: later triggers of a customer wait for earlier ones that are tried "
                 "again; `none`: they do not",
    }),
    "A webhook": (routes_row.WebhookDestination, {
        "url": "Where it is posted: https://HOST/PATH",
        "secret_env": "Name of the variable with the `whsec_...` secret that signs; two for a "
                      "rotation, the new one first",
        "thin": _THIN,
        "template": _TEMPLATE,
        "content_type": "Of the body",
        "headers": "Further headers, at most 20",
    }),
    "An e-mail": (routes_row.EmailDestination, {
        "smtp": "The server that takes the mail",
        "from": "The sender: Shop <hello@shop.example>",
        "reply_to": "Where answers go; to the sender where absent",
        "subject": "A Liquid template of one line",
        "text": "File of a Liquid template of the text, beside this file",
        "html": "File of a Liquid template of the HTML; `text`, `html` or both",
        "unsubscribe": "Whether mail programs offer to unsubscribe with one click; only the "
                       "purpose `necessary` may say false",
    }),
    "A mail server": (routes_row.Smtp, {
        "host": "Its name",
        "port": "Its port, 1 to 65535",
        "tls": "`starttls`, `tls` or `none`",
        "user": "Who logs in; nobody where absent",
        "password_env": "Name of the variable with the password",
    }),
    "A Kafka topic": (routes_row.KafkaDestination, {
        "topic": "Its name",
        "bootstrap_servers": "Brokers of another cluster, HOST:PORT,HOST:PORT; that of Footfall "
                             "where absent",
        "security": "How those are reached, where they want TLS or SASL: see below",
        "thin": _THIN,
        "template": _TEMPLATE,
    }),
    "A protected cluster": (routes_row.KafkaSecurity, {
        "security_protocol": "`SSL`, `SASL_PLAINTEXT` or `SASL_SSL`",
        "sasl_mechanism": "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`",
        "sasl_username": "Who logs in",
        "sasl_password_env": "Name of the variable with the password",
        "sasl_oauth_token_url": "With `OAUTHBEARER`: where tokens are had, https://...",
        "sasl_oauth_client_id": "For which client",
        "sasl_oauth_client_secret_env": "Name of the variable with the client's secret",
        "sasl_oauth_scope": "The scope that is asked for",
        "sasl_oauth_extensions": "What the brokers want to know beside it: NAME=VALUE,NAME=VALUE",
        "ssl_ca_file": "PEM file of the authorities that brokers' certificates come from, beside "
                       "this file or with its whole path; those the system trusts where absent",
        "ssl_certificate_file": "PEM file of our certificate, where the brokers want one",
        "ssl_key_file": "PEM file of its key",
        "ssl_key_password_env": "Name of the variable with what the key is locked with",
    }),
    "A Redis Stream": (routes_row.RedisDestination, {
        "stream": "Its key",
        "url_env": "Name of the variable with the URL, redis://...; that of the served view where "
                   "absent",
        "entries_max": "How many entries are kept, about, 1 to 100,000,000",
        "thin": _THIN,
        "template": _TEMPLATE,
    }),
    "A notification": (routes_row.NotifyDestination, {
        "url_env": "Name of the variable with the Apprise URL (Slack, Teams, Telegram, SMS, ...); "
                   "`{to}` in it stands for the recipient",
        "title": "A Liquid template",
        "body": "A Liquid template",
        "to": "Kind of the customer's identifier, or profile trait, that is the recipient; none "
              "where absent",
    }),
    "Retries": (routes_row.Retry, {
        "delays_s": "Seconds from one attempt to the next; after the last one it is dead. At most "
                    "50; an empty list: never again",
        "jitter": "Each delay is made longer by up to so much of itself, 0 to 1",
    }),
    "A breaker": (routes_row.Breaker, {
        "failures": "After so many in a row nothing is sent, 1 to 1,000",
        "open_s": "For so long; then one is tried",
        "open_s_max": "Each time that one fails too, twice as long, at most so long",
    }),
    "A cap": (routes_row.Cap, {
        "max": "So many, 1 to 1,000, go to one customer by this medium for this purpose",
        "per": "In each `hour`, `day`, `week` or `month` of the customer's own calendar",
        "then": "What is over: `drop` is not sent, `hold` waits for the next period",
    }),
    "Quiet hours": (routes_row.QuietHours, {
        "from": "From this time of day, 22:00",
        "to": "Up to this one, 08:00; before `from`: over midnight",
        "zone": "An IANA time zone, or `customer`: that of their profile",
        "else_zone": "The zone of customers whose profile names none",
        "then": "`hold` waits for the end, `drop` is not sent",
    }),
}
