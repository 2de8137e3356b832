# Sourced by the sweeps: queue NAME -S KEY=A,B runs one experiment per value, named NAME-1, NAME-2
# ... (kept under .git as revisions, nothing in the workspace changes), and shows what they changed.
# METRIC names the metric or group that is shown; none: of a sweep that scores nothing. Exits
# non-zero if one failed; the others are kept. Put further `-S KEY=VALUE` after the script's name to
# set them in every experiment.

# --help prints what the sweep asks; nothing is queued.
if [[ " $* " == *" --help "* ]]; then
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit
fi

queue() {
  local name=$1
  shift
  if ! git diff --quiet HEAD -- params.yaml; then
    echo "error: params.yaml is changed, and every experiment would have that change; commit it," \
      "or: git checkout params.yaml" >&2
    return 1
  fi
  local root
  root=$(git rev-parse --show-toplevel)
  # Not beside a stage, as queueing takes its files, and not with a key that there is none of.
  PYTHONPATH=$root python -m genlab queue --ask -- "$@" "${EXTRA[@]}" >/dev/null || return 1
  # An earlier run of this sweep makes room, its failures too; --force would run every stage again.
  { dvc exp list --name-only; dvc queue status | awk '$3 != "Running" {print $2}'; } |
    { grep -x "$name\(-[0-9]*\)\?" || true; } | sort -u | xargs -r dvc exp remove
  PYTHONPATH=$root python -m genlab queue -- --name "$name" "$@" "${EXTRA[@]}"
  dvc exp run --run-all
  if [[ ${METRIC:-} != none ]]; then
    PYTHONPATH=$root python -m genlab show ${METRIC:+--metric "$METRIC"}
  fi
  if dvc queue status | grep -w "$name\(-[0-9]*\)\?" | grep -w Failed; then
    echo "error: the experiments above failed; see why with: dvc queue logs THEIR-NAME" >&2
    return 1
  fi
}
EXTRA=("$@")
