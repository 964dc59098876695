#!/bin/sh
# Search, buy, assign and release a phone number with curl.
#
# BURKI_URL=http://127.0.0.1:8000 BURKI_API_KEY=burki_… sh buy_number.sh telnyx 415 7
set -eu
provider=$1 area_code=$2 assistant_id=$3
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# post PATH BODY [HEADER] prints the status (000: no answer came); the body is in $answer.
post() {
    curl --silent --max-time 30 --output "$answer" --write-out '%{http_code}' \
        --header "Authorization: Bearer $BURKI_API_KEY" \
        --header 'Content-Type: application/json' \
        --header "${3:-Accept: application/json}" \
        --data "$2" "$BURKI_URL$1" || true
}
word() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$answer"; }
stop() { echo "refused   $(cat "$answer")" >&2; exit 1; }

status=$(post /phone-numbers/search "{\"provider\": \"$provider\", \"area_code\": \"$area_code\"}")
[ "$status" = 200 ] || stop
numbers=$(grep -o '"phone_number":"[^"]*"' "$answer" | cut -d '"' -f 4)

bought=
for number in $numbers; do
    # One key for one purchase: sent again as often as needed, it is the same purchase.
    key=$(cat /proc/sys/kernel/random/uuid)
    tries=0
    while [ $tries -lt 30 ]; do
        tries=$((tries + 1))
        status=$(post /phone-numbers/purchase \
            "{\"provider\": \"$provider\", \"phone_number\": \"$number\", \"assistant_id\": $assistant_id}" \
            "Idempotency-Key: $key")
        case "$status $(word code)" in
        200*) bought=$number; break 2 ;;
        # Perhaps bought, being made, being confirmed, too many: ask again, with the same key.
        000* | 429* | 504* | *purchase_in_progress) sleep 4 ;;
        # This attempt is over and nothing was charged: the next one has a key of its own.
        503*) key=$(cat /proc/sys/kernel/random/uuid); sleep 4 ;;
        *number_unavailable) echo "taken     $number"; break ;;
        *) stop ;;
        esac
    done
done
[ -n "$bought" ] || { echo "None of the numbers is for sale any more: search again." >&2; exit 1; }
details=$(sed 's/.*"purchase_details"://' "$answer" | sed -n 's/.*"status":"\([^"]*\)".*/\1/p')
echo "bought    $bought ${details:-completed}"

path=/api/v1/assistants/$assistant_id/phone-numbers/assign-by-number
status=$(post "$path" "{\"phone_number\": \"$bought\"}")
[ "$status" = 200 ] && grep -q '"success":true' "$answer" || stop
echo "assigned  $bought"

status=$(post /phone-numbers/release "{\"phone_number\": \"$bought\"}")
[ "$status" = 200 ] || stop
echo "released  $bought"
