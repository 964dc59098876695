"""Background work of this app."""

from procrastinate.contrib.django import app

from organizations.sealing import seal_events


@app.periodic(cron="* * * * *")
@app.task(name="organizations.tasks.seal_audit", queue="default", queueing_lock="seal_audit")
def seal_audit(timestamp: int) -> None:
    seal_events()
