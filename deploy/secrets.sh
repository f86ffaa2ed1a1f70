#!/bin/sh
# Makes the secrets of docker-compose.yml, each once, in an ignored `.env` that only you can read.
# A secret that is there stays: another FOOTFALL_CUSTOMER_KEY_SECRET parts every customer from its
# history. Needs only sh and /dev/urandom; prints no secret.
set -eu
umask 077
file="$(dirname "$0")/../.env"

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

make() { # NAME [PREFIX]
    if grep -q "^$1=" "$file"; then
        echo "$1: kept"
    else
        printf '%s=%s%s\n' "$1" "${2-}" "$(random)" >> "$file"
        echo "$1: made"
    fi
}

touch "$file"
chmod 600 "$file"
# Of keys that are there already nobody knows when they were made.
grep -Eq '^(FOOTFALL_KEY_DATES|FOOTFALL_WRITE_KEYS|FOOTFALL_API_KEY|REDIS_PASSWORD)=' "$file" ||
    date -u '+FOOTFALL_KEY_DATES={"write_keys.web":"%F","api_key":"%F","redis_url":"%F"}' >> "$file"
make FOOTFALL_CUSTOMER_KEY_SECRET
make FOOTFALL_SYSTEM_SECRET
make FOOTFALL_WRITE_KEYS web:
make FOOTFALL_API_KEY
make REDIS_PASSWORD
make GRAFANA_ADMIN_PASSWORD
