"""A mail server for tests, on a free port of 127.0.0.1.

usage: smtpd.py tls|starttls|none [CERT KEY [USER PASSWORD [METHOD]]]

Prints its port, then a line of JSON for each mail it takes. It ends with its
standard input. Recipients tell it what to do:

    refuse-CODE@   answers CODE to RCPT        data-CODE@   answers CODE to the mail
    slow@          answers after a minute
"""

import asyncio
import base64
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if address == "nobody@refused.example":
            return "550 5.7.1 not from here"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        what, _, code = address.partition("@")[0].partition("-")
        if what == "slow":
            await asyncio.sleep(60)
        if what == "refuse":
            return code + " secret.internal.example says no"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            what, _, code = address.partition("@")[0].partition("-")
            if what == "data":
                return code + " no"
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": server.transport.get_extra_info("ssl_object") is not None, "ehlo": session.host_name,
            "login": session.auth_data.decode() if session.authenticated else "",
            "text": base64.b64encode(envelope.original_content).decode(),
        }), flush=True)
        return "250 OK"


async def main(security, cert=None, key=None, user=None, password=None, method=None):
    context = None
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)

    def authenticate(server, session, envelope, mechanism, data):
        ok = (data.login.decode(), data.password.decode()) == (user, password)
        return AuthResult(success=ok, handled=False, auth_data=mechanism.encode() + b" " + data.login)

    def factory():
        return SMTP(
            Handler(), hostname="mail.example", tls_context=context if security == "starttls" else None,
            authenticator=authenticate, auth_required=bool(user), auth_require_tls=security == "starttls",
            auth_exclude_mechanism=[m for m in ("LOGIN", "PLAIN") if method and m != method],
        )

    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=context if security == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
