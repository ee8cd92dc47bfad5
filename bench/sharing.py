"""FlowPulse as it is served, but that each process tells the others of every key, again and again.

A server tells nobody of a key that stays below its rate, and refuses the one that does not: so no
rate has the limits shared for as long as a round lasts, and what that costs would not be measured.
"""

from app.ingest import limits
from wsgi import app as app

limits.SHARED_FROM = 0.0
