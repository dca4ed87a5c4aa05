#!/bin/sh
# rushes-parity's promises: exit 0 within tolerance, 1 a miss, 2 a bad file or argument; one line says why.
# Usage: parity_exit_codes.sh RUSHES-PARITY FOLDER-OF-GOLDENS
set -u
parity=$1
goldens=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

expect() { # CODE, TEXT expected on either output, arguments...
  code=$1
  text=$2
  shift 2
  "$parity" "$@" >"$work/log" 2>&1
  got=$?
  if [ "$got" -ne "$code" ] || ! grep -q -- "$text" "$work/log"; then
    echo "rushes-parity $*: expected exit $code and '$text', got $got:"
    cat "$work/log"
    failed=1
  fi
}

good=$goldens/cross_attn_i2v_2head.safetensors
expect 0 'out.y rel-L2' "$good"
expect 0 '"ok": true' "$good" --json
expect 0 'ok' "$good" --dump "$work/dump"
[ -s "$work/dump/cross_attn_i2v_2head.safetensors" ] || { echo "--dump wrote nothing"; failed=1; }

# The last bytes belong to a weight: other weights give another output.
cp "$good" "$work/miss.safetensors"
size=$(stat -c %s "$good")
head -c 4096 /dev/zero | dd of="$work/miss.safetensors" bs=1 seek=$((size - 4096)) conv=notrunc 2>/dev/null
expect 1 'MISS' "$work/miss.safetensors"
expect 1 'MISS' "$good" "$work/miss.safetensors"

head -c 100000 "$good" >"$work/short.safetensors"
expect 2 'truncated\|outside' "$work/short.safetensors"
head -c 5 "$good" >"$work/stub.safetensors"
expect 2 'at least 8 bytes' "$work/stub.safetensors"
expect 2 'outside\|truncated' "$good" "$work/short.safetensors"
expect 2 'cannot open' "$work/gone.safetensors"
# The dump holds outputs without the weights that its kind needs.
expect 2 'is missing' "$work/dump/cross_attn_i2v_2head.safetensors"
expect 2 'FILE' # no file named
expect 2 'backend' "$good" --backend gpu
expect 4 'cuda' "$good" --backend cuda
exit $failed
