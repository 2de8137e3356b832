# Sourced by the sweeps: queue NAME -S KEY=A,B runs one experiment per value, named NAME-1, NAME-2
# ... (kept under .git as revisions, nothing in the workspace changes), and shows what they changed.
# Exits non-zero if one failed; the others are kept. Put further `-S KEY=VALUE` after the script's
# name to set them in every experiment.

queue() {
  local name=$1
  shift
  dvc exp remove --queue >/dev/null 2>&1 || true
  dvc exp run --queue --name "$name" "$@" "${EXTRA[@]}"
  dvc exp run --run-all
  dvc exp show --md --only-changed --hide-failed --drop 'stages.*|genlab.*|data.*|Created|.*_low|.*_high'
  if dvc queue status | grep -w Failed; then
    echo "error: an experiment failed; see its log with: dvc queue logs NAME" >&2
    return 1
  fi
}
EXTRA=("$@")
