# Reads calendars with one series each, one JSON text a line, and prints the starts that
# recurring-ical-events finds, in UTC.
import datetime
import json
import sys

import icalendar
import recurring_ical_events

for line in sys.stdin:
    item = json.loads(line)
    times = None
    try:
        calendar = icalendar.Calendar.from_ical(item["ics"])
        events = recurring_ical_events.of(calendar).between((2026, 1, 1), (2031, 1, 1))
        times = sorted(int(e["DTSTART"].dt.timestamp()) for e in events)
    except Exception as error:  # whatever a library raises is its vote
        print(item["rule"], repr(error)[:200], file=sys.stderr)
    print(json.dumps(times), flush=True)
