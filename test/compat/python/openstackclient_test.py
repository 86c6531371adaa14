"""The openstack command line with the plug-in of python-zaqarclient.

The commands run in forks of this process, which has everything imported; that
saves a second each. They are parsed, carried out and print as they do from a
shell. The environment says where things are:

    OS_AUTH_URL      an identity service whose catalogue names the server; it
                     takes any password and makes the user's name the project's
"""

import ast
import json
import os
import sys
import tempfile
import unittest
import uuid

from openstackclient import shell

AUTH_URL = os.environ['OS_AUTH_URL']


class Case(unittest.TestCase):
    """Each test has a project of its own."""

    def setUp(self):
        self.project = uuid.uuid4().hex
        self.client_id = str(uuid.uuid4())

    def run_command(self, line):
        options = ['--os-auth-url', AUTH_URL, '--os-username', self.project,
                   '--os-password', 'any', '--os-project-id', self.project,
                   '--os-user-domain-id', 'default', '--os-region-name', 'RegionOne',
                   '--os-auth-type', 'password']
        with tempfile.TemporaryFile('w+') as out, tempfile.TemporaryFile('w+') as err:
            child = os.fork()
            if child == 0:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                code = 70
                try:
                    code = shell.main(options + ['messaging'] + line)
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            out.seek(0)
            err.seek(0)
            return os.waitstatus_to_exitcode(status), out.read(), err.read()

    def command(self, *line):
        """Runs a command that prints nothing of interest."""
        code, out, err = self.run_command(list(line))
        self.assertEqual(0, code, '%s: %s%s' % (line, out, err))
        return out

    def table(self, *line):
        """Runs a command and returns what it shows."""
        return json.loads(self.command(*line, '-f', 'json'))

    def fails(self, text, *line):
        code, out, err = self.run_command(list(line))
        self.assertNotEqual(0, code, line)
        self.assertIn(text, out + err)

    def post(self, *messages):
        self.command('message', 'post', 'work', json.dumps(list(messages)),
                     '--client-id', self.client_id)

    def messages(self, *options):
        return self.table('message', 'list', 'work', *options)


class Queues(Case):

    def test_life_of_a_queue(self):
        self.assertEqual([], self.table('queue', 'list'))
        self.assertEqual({'Name': 'work'}, self.table('queue', 'create', 'work'))
        for n in range(4):
            self.command('queue', 'create', 'q%d' % n)
        self.assertEqual(['q0', 'q1', 'q2', 'q3', 'work'],
                         [q['Name'] for q in self.table('queue', 'list')])
        self.assertEqual(['q2', 'q3'], [q['Name'] for q in self.table(
            'queue', 'list', '--marker', 'q1', '--limit', '2')])
        detailed = self.table('queue', 'list', '--detailed', '--limit', '1')
        self.assertEqual('/v2/queues/q0', detailed[0]['Href'])
        out = self.command('queue', 'list', '--with_count', '--limit', '1')
        if 'in total' in out:  # later versions tell it to their log alone
            self.assertIn('Queues in total: 5', out)
        self.command('queue', 'delete', 'work')
        self.assertEqual(4, len(self.table('queue', 'list')))

    def test_metadata(self):
        self.command('queue', 'create', 'work')
        self.command('queue', 'set', 'metadata', 'work', json.dumps(
            {'_dead_letter_queue': 'dead', '_max_claim_count': 3, 'note': 'x'}))
        metadata = self.table('queue', 'get', 'metadata', 'work')['Metadata']
        if isinstance(metadata, str):
            metadata = ast.literal_eval(metadata)
        self.assertEqual('dead', metadata['_dead_letter_queue'])
        self.assertEqual(3, metadata['_max_claim_count'])
        self.assertEqual('x', metadata['note'])
        self.fails('400', 'queue', 'set', 'metadata', 'work',
                   '{"_default_message_ttl": 1}')
        self.fails('404', 'queue', 'set', 'metadata', 'absent', '{"a": 1}')

    def test_signed_url(self):
        grant = self.table('queue', 'signed', 'url', 'work', '--paths', 'messages,claims',
                           '--ttl-seconds', '3600', '--methods', 'GET,POST')
        self.assertEqual(self.project, grant['Project ID'])
        self.assertEqual(64, len(grant['Signature']))
        for text in ('/v2/queues/work/messages', '/v2/queues/work/claims'):
            self.assertIn(text, str(grant['Paths']))

    def test_stats_and_purge(self):
        self.post({'body': 1}, {'body': 2})
        self.assertEqual(2, self.total())
        self.command('queue', 'purge', 'work', '--resource_types', 'subscriptions')
        self.assertEqual(2, self.total())
        self.command('queue', 'purge', 'work', '--resource_types', 'messages',
                     '--resource_types', 'subscriptions')
        self.assertEqual(0, self.total())

    def total(self):
        stats = self.table('queue', 'stats', 'work')['Stats']
        if isinstance(stats, str):
            stats = ast.literal_eval(stats)
        return stats['messages']['total']


class Subscriptions(Case):

    HOOK = 'http://hook.example/'

    def subscribe(self, *more):
        return self.table('subscription', 'create', 'work', *more)

    def options(self, shown):
        options = shown['Options']
        return ast.literal_eval(options) if isinstance(options, str) else options

    def test_life_of_a_subscription(self):
        made = self.subscribe(self.HOOK, '600', '--options', '{"a": 1}')
        self.assertEqual((self.HOOK, 600), (made['Subscriber'], int(made['TTL'])))
        shown = self.table('subscription', 'show', 'work', made['ID'])
        self.assertEqual(made['ID'], shown['ID'])
        self.assertEqual('False', str(shown['Confirmed']))
        self.assertEqual({'a': 1}, self.options(shown))

        self.command('subscription', 'update', 'work', made['ID'], '--ttl', '900')
        shown = self.table('subscription', 'show', 'work', made['ID'])
        self.assertEqual((self.HOOK, 900), (shown['Subscriber'], int(shown['TTL'])))
        self.command('subscription', 'update', 'work', made['ID'],
                     '--subscriber', 'mailto:a@b.example', '--options', '{"subject": "x"}')
        shown = self.table('subscription', 'show', 'work', made['ID'])
        self.assertEqual('mailto:a@b.example', shown['Subscriber'])
        self.assertEqual({'subject': 'x'}, self.options(shown))

        self.command('subscription', 'delete', 'work', made['ID'])
        self.fails('404', 'subscription', 'show', 'work', made['ID'])

    def test_list(self):
        ids = [self.subscribe(self.HOOK + str(n), '600')['ID'] for n in range(3)]
        listed = self.table('subscription', 'list', 'work')
        self.assertEqual(ids, [s['ID'] for s in listed])
        self.assertEqual(ids[1:], [s['ID'] for s in self.table(
            'subscription', 'list', 'work', '--marker', ids[0], '--limit', '2')])

    def test_refused(self):
        self.fails('400', 'subscription', 'create', 'work', 'ftp://x', '600')
        self.fails('400', 'subscription', 'create', 'work', self.HOOK, '1')


class Messages(Case):

    def test_post_and_list(self):
        self.post({'body': {'n': 1}, 'ttl': 60}, {'body': 'two'})
        self.assertEqual([], self.messages('--client-id', self.client_id))
        mine = self.messages('--client-id', self.client_id, '--echo')
        self.assertEqual(2, len(mine))
        self.assertEqual(60, mine[0]['TTL'])
        self.assertEqual('two', mine[1]['Body'])
        stranger = str(uuid.uuid4())
        self.assertEqual(1, len(self.messages('--client-id', stranger, '--limit', '1')))
        found = self.messages('--client-id', stranger, '--message-ids', mine[1]['ID'])
        self.assertEqual(['two'], [m['Body'] for m in found])
        every = self.messages('--client-id', stranger, '--include-claimed', '--include-delayed')
        self.assertEqual([m['ID'] for m in mine], [m['ID'] for m in every])

    def test_one_message_without_a_list(self):
        self.command('message', 'post', 'work', '{"body": 7}', '--client-id', self.client_id)
        self.assertEqual([7], [m['Body'] for m in self.messages(
            '--client-id', self.client_id, '--echo')])

    def test_refused(self):
        self.fails('400', 'message', 'post', 'work', '{"ttl": 60}', '--client-id', self.client_id)
        self.fails('400', 'message', 'list', 'work', '--limit', '21', '--client-id', self.client_id)


class Claims(Case):

    def test_life_of_a_claim(self):
        self.post(*[{'body': n} for n in range(3)])
        claimed = self.table('claim', 'create', 'work', '--ttl', '120', '--grace', '60', '--limit', '2')
        self.assertEqual([0, 1], [m['Messages'] for m in claimed])
        claim, = {m['Claim_ID'] for m in claimed}
        self.assertTrue(claim)

        queried = self.table('claim', 'query', 'work', claim)
        self.assertEqual(2, len(queried))
        renewed = self.table('claim', 'renew', 'work', claim, '--ttl', '600', '--grace', '100')
        self.assertEqual(2, len(renewed))
        self.assertLessEqual(600, renewed[0]['TTL'])  # of the message: kept alive by the claim
        self.command('claim', 'release', 'work', claim)
        self.fails('404', 'claim', 'query', 'work', claim)
        self.assertEqual(3, len(self.table('claim', 'create', 'work')))
        self.assertEqual([], self.table('claim', 'create', 'work'))


class Service(Case):

    def test_ping(self):
        self.assertEqual({'Pingable': True}, self.table('ping'))

    def test_homedoc(self):
        self.assertIn('rel/queues', self.command('homedoc'))

    def test_health_needs_the_role_admin(self):
        self.fails('403', 'health')


if __name__ == '__main__':
    unittest.main()
