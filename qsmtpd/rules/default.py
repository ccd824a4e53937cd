"""The rules of a site that has none of its own: safe without tuning (examples/rules is the same text)."""

TEXT = b"""\
# The rules of a site without control/rules.  They ask nobody: no DNS, no store.  docs/rules.md says what may be added.

# Who talks before the greeting was not going to listen; a negative control/greetdelay asks for this.
earlytalk & greetdelay < 0 close@connect 554 5.7.1 "you talk too early, goodbye"

# What the scanners of qqshim have found is worse than anything that the client is trusted with.
virus                      refuse 554 5.7.1 "sorry, this message has a virus: {reason}"

# RBLSMTPD in tcp.smtp, and control/blocklist.cdb: who is blocked is told so, even if he may relay.
banned                     refuse 553 5.7.1 "{reason}"
blocked                    defer 451 4.7.1 "{reason}"

# control/badmailfrom and control/badrcptto, as qmail-smtpd has the first.
badmailfrom                refuse 553 5.7.1 "sorry, your envelope sender is in my badmailfrom list"
badrcptto                  refuse 553 5.7.1 "sorry, your envelope recipient is in my badrcptto list"

# control/maxrecipients in one message: the client sends the rest in another.
too-many-rcpt              defer 452 4.5.3 "sorry, too many recipients"

# Our own users and hosts.
relay                      accept

# A bounce goes to the one who sent the message.
bounce-many                defer 452 4.5.3 "sorry, a bounce has one recipient"

# control/brtlimit: who guesses addresses is not given any more guesses.
too-many-bad               close 421 4.7.0 "too many invalid addresses, goodbye"
"""
