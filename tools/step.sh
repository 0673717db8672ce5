#!/bin/sh
# Runs a command quietly: one line says what is being done and for how long (rewritten every second
# in a terminal, repeated every minute elsewhere); the command's output is shown where it fails.
# usage: step.sh WHAT LOG COMMAND...
set -u
what=$1
log=$2
shift 2
begun=$(date +%s)

elapsed() {
    seconds=$(($(date +%s) - begun))
    printf '%d:%02d' $((seconds / 60)) $((seconds % 60))
}

tick_in_terminal() {
    while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        width=$(($(stty size </dev/tty 2>/dev/null | cut -d' ' -f2 | grep . || echo 80) - ${#what} - 18))
        now=$(tail -c 400 "$log" | tr '\r' '\n' | grep -v '^WARNING' | grep . | tail -n 1 | tr -cd '[:print:]')
        [ "$width" -gt 0 ] || now=''
        printf '\r\033[Kloom: %s … %s  %.*s' "$what" "$(elapsed)" "$width" "$now"
    done
}

tick_in_lines() {
    while sleep 60 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        echo "loom: $what … $(elapsed)"
    done
}

: >"$log" || exit 1
if [ -t 1 ]; then
    printf 'loom: %s …' "$what"
    tick_in_terminal &
else
    echo "loom: $what …"
    tick_in_lines &
fi
ticker=$!
trap 'kill $ticker 2>/dev/null' EXIT

"$@" >"$log" 2>&1 </dev/null
status=$?
kill $ticker 2>/dev/null
wait $ticker 2>/dev/null
[ -t 1 ] && printf '\r\033[K'
if [ $status -eq 0 ]; then
    echo "loom: $what: done in $(elapsed)"
else
    tail -n 40 "$log"
    echo "loom: $what: failed after $(elapsed); all of the output is in $log"
fi
exit $status
