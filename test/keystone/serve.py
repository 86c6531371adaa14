"""A Keystone for tests, of Debian's packages: SQLite, Fernet tokens, loopback.

    serve.py DIRECTORY PORT

makes it in the directory if it is not there yet, prints the port and serves
until it is killed. It is cheap, not safe.

A request for a token may carry X-Test-Lifetime: seconds that this token
lasts, 0 for one that has ended when it is made.
"""

import contextlib
import grp
import os
import pwd
import socketserver
import sqlite3
import sys
import threading
import traceback
from wsgiref import simple_server

from keystone.cmd import manage
import keystone.conf
from keystone.server.wsgi import initialize_public_application

CONFIG = """
[DEFAULT]
log_file = {0}/keystone.log
[cache]
enabled = true
backend = dogpile.cache.memory
[credential]
key_repository = {0}/credential-keys
[database]
connection = sqlite:///{0}/keystone.db?timeout=60
sqlite_synchronous = false
[fernet_tokens]
key_repository = {0}/fernet-keys
[identity]
password_hash_rounds = 4
[oslo_policy]
enforce_scope = false
"""


def run(config, *command):
    """Runs a command of keystone-manage in a fork, which spares it the imports."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            sys.argv = ['keystone-manage', '--config-file', config, *command]
            manage.main()
            code = 0
        except SystemExit as e:
            code = e.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 70)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        sys.exit('keystone-manage %s: exit code %d' % (command[0], code))


def make(folder, config):
    for name in ('fernet-keys', 'credential-keys'):
        os.makedirs(os.path.join(folder, name), mode=0o700)
    with open(config, 'w') as f:
        f.write(CONFIG.format(folder))
    owner = ('--keystone-user', pwd.getpwuid(os.getuid()).pw_name,
             '--keystone-group', grp.getgrgid(os.getgid()).gr_name)
    run(config, 'db_sync')
    with contextlib.closing(sqlite3.connect(os.path.join(folder, 'keystone.db'))) as db:
        db.execute('PRAGMA journal_mode=WAL')  # readers hold up no writer
    run(config, 'fernet_setup', *owner)
    run(config, 'credential_setup', *owner)
    run(config, 'bootstrap', '--bootstrap-password', 'password-of-admin')


class Lifetimes:
    """Makes tokens last as long as their requests say."""

    def __init__(self, application):
        self.application = application
        self.one = threading.Lock()

    def __call__(self, environ, start_response):
        lifetime = environ.get('HTTP_X_TEST_LIFETIME')
        if lifetime is None:
            return self.application(environ, start_response)
        with self.one:
            keystone.conf.CONF.set_override('expiration', int(lifetime), 'token')
            try:
                return list(self.application(environ, start_response))
            finally:
                keystone.conf.CONF.clear_override('expiration', 'token')


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 100

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = '127.0.0.1', self.server_address[1]
        self.setup_environ()


class Handler(simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass

    def address_string(self):
        return self.client_address[0]


def main(folder, port):
    config = os.path.join(folder, 'keystone.conf')
    if not os.path.exists(config):
        make(folder, config)
    os.environ['OS_KEYSTONE_CONFIG_FILES'] = config
    sys.argv = ['keystone']
    application = Lifetimes(initialize_public_application())
    with simple_server.make_server('127.0.0.1', int(port), application, Server, Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2])
