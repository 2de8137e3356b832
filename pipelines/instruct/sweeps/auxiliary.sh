#!/usr/bin/env bash
# Which second task helps the topics' neighbours most?
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=with_auxiliary queue instruct-auxiliary -S 'compared.arms=[with_auxiliary]' -S score.arm=with_auxiliary -S 'arms.with_auxiliary.tasks=[topic,age],[topic,size],[topic,member],[topic,lookup_home],[topic,comparison]'
