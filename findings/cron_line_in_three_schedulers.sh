#!/bin/sh
# Packages   croniter 7.0.0, cronsim 2.8, APScheduler 3.11.3, tzdata 2026.6
# Question   One cron line, one time zone (Europe/Berlin), three libraries. When does the job run on the days the clocks change?
# Good guess Hourly lines follow the real hours in all three, and a daily line runs once a day, in spring at or after the gap.
# Behaviour  Hourly is so. Daily at 02:30: in spring croniter and cronsim run at 03:00, APScheduler gives 02:30+01:00, a wall time that
#            does not exist. In autumn croniter and APScheduler run the daily job TWICE, cronsim once; with hours written as a
#            list ("1,2,3") the same holds. "0 0 */2 * 1" is a union of days for croniter, their intersection for cronsim, and
#            for APScheduler the intersection with TUESDAY.
# Why        cronsim follows Debian's cron (fixed hours run once, wildcards follow the clock). The others ask only whether the
#            wall clock matches. A star with a step counts as a star, or does not.
# Seen       spring 03:00+0200 03:00+0200 02:30+0100; runs on the autumn day 2 1 2; first two days of June 2025 1,2 9,23 3,17
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q croniter==7.0.0 cronsim==2.8 APScheduler==3.11.3 tzdata==2026.6
cd "$work"
PYTHONTZPATH='' "$work/venv/bin/python" - <<'EOF'
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo
from apscheduler.triggers.cron import CronTrigger
from croniter import croniter
from cronsim import CronSim

BERLIN = ZoneInfo("Europe/Berlin")


def by_apscheduler(line, start):
    trigger, last = CronTrigger.from_crontab(line, timezone=BERLIN), None
    while True:
        last = trigger.get_next_fire_time(last, last or start)
        yield last


def by_croniter(line, start):
    times = croniter(line, start)
    while True:
        yield times.get_next(datetime)


def times(line, month, day, count, form, until=None):
    start = datetime(2025, month, day, 12, tzinfo=BERLIN)
    for schedule in (by_croniter, CronSim, by_apscheduler):
        yield [time.strftime(form) for time in islice(schedule(line, start), count)]


hourly = list(times("30 * * * *", 10, 25, 17, "%d %H:%M%z"))
assert hourly[0] == hourly[1] == hourly[2] and hourly[0][-3:] == ["26 02:30+0200", "26 02:30+0100", "26 03:30+0100"]
spring = [daily[0] for daily in times("30 2 * * *", 3, 29, 1, "%H:%M%z")]
autumn = [days.count("26") for days in times("30 2 * * *", 10, 25, 3, "%d")]
listed = [days.count("26 02:00") for days in times("0 1,2,3 * * *", 10, 25, 5, "%d %H:%M")]
stepped = list(times("0 0 */2 * 1", 5, 31, 2, "%d"))
print("spring", *spring, "autumn", *autumn, "listed", *listed, "stepped", *stepped)
assert spring == ["03:00+0200", "03:00+0200", "02:30+0100"]
assert autumn == listed == [2, 1, 2]
assert stepped == [["01", "02"], ["09", "23"], ["03", "17"]]
EOF
