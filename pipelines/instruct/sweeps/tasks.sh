#!/usr/bin/env bash
# How many tasks are enough? Three, six, twelve; the held-out ones stay.
set -euo pipefail
. "$(dirname "$0")/../../../sweeps/queue.sh"
cd "$(dirname "$0")/.."
METRIC=multitask_prompted queue instruct-tasks -S 'compared.arms=[multitask_prompted]' -S 'prompt.tasks=[topic,size,facts],[topic,size,heat,speed,age,facts],[topic,size,heat,speed,age,question_type,member,synonym,lookup_home,lookup_job,comparison,facts]' \
  -S 'arms.with_auxiliary.tasks=[topic,size]'
