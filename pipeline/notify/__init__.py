"""From alerts to people: routes -> outbox -> message -> receiver, and the feedback that comes back.

alerts.toml  -> Routing       alerts_file, routes           who is told what, and when
payload      -> Card          card                          what was found, as data
Card         -> View          view, phrases                 the same in words
View         -> Message       message, slack_blocks, digest mail text and HTML, Slack blocks; email adds the chart
Message      -> accepted      email, slack, apprise         one file per kind of receiver; senders builds them
outbox       -> all of it     step, due                     claims, sends, marks, tries again
link         -> feedback      links, key                    signed, expiring; opening one changes nothing
"""
