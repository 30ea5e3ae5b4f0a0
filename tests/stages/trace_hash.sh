#!/usr/bin/env bash
# trace_hash.sh SCENARIO BINARY OTHER_BINARY: runs a shortened SCENARIO with both and compares the
# trace hashes of their reports. The two may be one binary: then run is compared with run.
set -euo pipefail
scenario=$1
binaries=("$2" "$3")
for binary in "${binaries[@]}"; do
    if [[ ! -x $binary ]]; then
        echo "not built: $binary; ./fleetarium test builds it, or cmake --preset by hand"
        exit 77
    fi
done
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

# As long as a whole run is short; each story keeps its start, which is where most kinds of event are.
duration=${TRACE_HASH_DURATION:-20m}
for i in 0 1; do
    # Unmet expectations (1) are no matter here: a shortened story may miss some.
    status=0
    "${binaries[i]}" run "$scenario" --seed 20260101 --duration "$duration" \
        --report "$scratch/$i.json" >"$scratch/$i.out" 2>&1 || status=$?
    if ((status > 1)); then
        echo "${binaries[i]} run $scenario: status $status"
        tail -n 40 "$scratch/$i.out"
        exit 1
    fi
done
python3 - "$scratch/0.json" "$scratch/1.json" <<'END'
import json, sys
hashes = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        hashes.append(json.load(file)["trace_hash"])
print("trace hashes", *hashes)
if not hashes[0] or hashes[0] != hashes[1]:
    sys.exit("the trace hashes differ")
END
