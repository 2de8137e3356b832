"""Programs with this folder in PYTHONPATH wait a hundredth of a second instead of longer.

Client libraries try a broken connection five times, a second apart, and offer no option for it.
"""

import time

sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.01))
