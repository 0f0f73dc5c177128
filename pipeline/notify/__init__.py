"""From alerts to people: routes -> outbox -> message -> receiver, and the feedback that comes back.

alerts.toml  -> Routing       alerts_file, routes      who is told what, and when
payload      -> Card          card, phrases            what was found, as data and in words
Card         -> Message       message, slack_blocks    mail (text, HTML, chart), Slack blocks, plain title and body
Message      -> accepted      email, slack, apprise    one file per kind of receiver
outbox       -> all of it     step                     claims, sends, marks; retries; digests
link         -> feedback      links                    signed, expiring; a GET changes nothing
"""
