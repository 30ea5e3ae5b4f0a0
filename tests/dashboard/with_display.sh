#!/usr/bin/env bash
# with_display.sh PROGRAM ARGS: runs a program on a display without a screen.
set -euo pipefail
# A number of its own: a server that ends removes the socket of its number, even if another server
# has just begun to use that, so choosing one that seems free is not safe.
number=$((1000 + $$ % 50000))
log=$(mktemp)
# -noreset: else it would turn clients away for a moment after the last one has gone.
# A server that was started with this signal ignored sends it to its parent when it is ready.
trap : USR1
(
    trap '' USR1
    exec Xvfb ":$number" -screen 0 1280x800x24 -nolisten tcp -noreset
) >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f -- "$log"' EXIT
wait "$server" || true
if ! kill -0 "$server" 2>/dev/null; then
    echo "Xvfb did not start on display $number:" >&2
    cat "$log" >&2
    exit 1
fi
DISPLAY=:$number "$@"
