dnl Save as /etc/mail/millrace.m4 and put this line into /etc/mail/sendmail.mc, before MAILER_DEFINITIONS:
dnl     include(`/etc/mail/millrace.m4')dnl
dnl Sendmail delivers local mail itself and hands all other mail to the Millrace relay on this machine, which answers
dnl for it from its 250 on. Then: make -C /etc/mail && systemctl reload sendmail
dnl
dnl The brackets mean: this host, not its MX. The mailer `relay' is used for the smart host alone.
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h 2525')dnl
dnl The relay greets with this machine's name, as Sendmail itself does. Without k Sendmail takes that for a loop: "mail
dnl loops back to me". A real loop is found by counting Received fields.
define(`RELAY_MAILER_FLAGS', `k')dnl
