"""python-zaqarclient, unmodified, against a running server.

The environment says where that is:

    ZAQAR_URL        http://host:port, admin mode on, no authentication, a key
                     for pre-signed URLs

Nothing here knows more of the wire than the library's users do, except where a
comment says so.
"""

import os
import socket
import unittest
import uuid

from zaqarclient.queues import client
from zaqarclient.queues.v2 import core
from zaqarclient.transport import errors as transport_errors

URL = os.environ['ZAQAR_URL']

DEFAULTS = {
    '_max_messages_post_size': 262144,
    '_default_message_ttl': 3600,
    '_default_message_delay': 0,
    '_dead_letter_queue': None,
    '_dead_letter_queue_messages_ttl': None,
    '_max_claim_count': None,
    '_enable_encrypt_messages': False,
}


def new_client(project=None):
    conf = {'auth_opts': {'backend': 'noauth',
                          'options': {'os_project_id': project}}}
    return client.Client(URL, version=2, conf=conf)


class Case(unittest.TestCase):
    """Each test has a project, two clients of it and a queue of its own."""

    def setUp(self):
        self.project = uuid.uuid4().hex
        self.client = new_client(self.project)
        self.other = new_client(self.project)
        self.queue = self.client.queue('work', force_create=True)

    def post(self, count, **extra):
        messages = [dict({'body': {'n': n}, 'ttl': 300}, **extra)
                    for n in range(count)]
        resources = self.queue.post(messages)['resources']
        self.assertEqual(count, len(resources))
        return [r.rsplit('/', 1)[1] for r in resources]

    def bodies(self, messages):
        return [m.body['n'] for m in messages]

    def stats(self):
        return {k: v for k, v in self.queue.stats['messages'].items()
                if k in ('free', 'claimed', 'total')}


class Service(Case):

    def test_ping(self):
        self.assertIs(True, self.client.ping())

    def test_ping_of_a_server_that_is_not_there(self):
        # A port that was free a moment ago.
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            dead = client.Client('http://127.0.0.1:%d' % s.getsockname()[1],
                                 version=2, conf=self.client.conf)
        self.assertIs(False, dead.ping())

    def test_homedoc(self):
        resources = self.client.homedoc()['resources']
        for rel in ('rel/queues', 'rel/messages', 'rel/claim', 'rel/ping',
                    'rel/health'):
            self.assertIn(rel, resources)

    def test_health_needs_the_role_admin(self):
        with self.assertRaises(transport_errors.ForbiddenError):
            self.client.health()

    def test_health(self):
        # The library cannot name roles; an identity service would.
        request, transport = self.client._request_and_transport()
        request.headers['X-Roles'] = 'admin'
        health = core.health(transport, request)
        self.assertIs(True, health['storage_reachable'])
        self.assertEqual(8, len(health['operation_status']))
        for name, outcome in health['operation_status'].items():
            self.assertIs(True, outcome['succeeded'], name)

    def test_default_project_without_authentication(self):
        anyone = client.Client(URL, version=2, conf={
            'auth_opts': {'backend': 'noauth', 'options': {}}})
        name = 'q' + uuid.uuid4().hex
        queue = anyone.queue(name, force_create=True)
        self.assertEqual(DEFAULTS, queue.metadata())
        queue.delete()


class Queues(Case):

    def test_create_is_repeatable(self):
        again = self.client.queue('work', force_create=True)
        self.assertEqual('work', again.name)
        self.assertEqual(1, len(list(self.client.queues()[0])))

    def test_create_with_metadata(self):
        request, transport = self.client._request_and_transport()
        core.queue_create(transport, request, 'other',
                          metadata={'_default_message_ttl': 100, 'owner': 'me'})
        self.assertEqual(dict(DEFAULTS, _default_message_ttl=100, owner='me'),
                         self.client.queue('other').metadata())

    def test_exists_is_true_for_all(self):
        # HEAD is answered with 405, which the library takes for a yes.
        for name in ('work', 'absent'):
            request, transport = self.client._request_and_transport()
            self.assertIs(True, core.queue_exists(transport, request, name))

    def test_absent_queue_shows_defaults(self):
        absent = self.client.queue('absent')
        self.assertEqual(DEFAULTS, absent.metadata())
        self.assertEqual({'free': 0, 'claimed': 0, 'total': 0},
                         absent.stats['messages'])
        self.assertEqual([], list(absent.messages()))
        self.assertEqual(['work'], [q.name for q in self.client.queues()[0]])

    def test_set_and_replace_metadata(self):
        self.queue.metadata(new_meta={'a': 1, 'b': {'c': [None, 'd']}})
        self.assertEqual(dict(DEFAULTS, a=1, b={'c': [None, 'd']}),
                         self.queue.metadata(force_reload=True))
        self.queue.metadata(new_meta={'b': 2, '_default_message_ttl': 61})
        self.assertEqual(dict(DEFAULTS, b=2, _default_message_ttl=61),
                         self.queue.metadata(force_reload=True))
        self.queue.metadata(new_meta={})
        self.assertEqual(DEFAULTS, self.queue.metadata(force_reload=True))

    def test_dead_letter_metadata_is_kept(self):
        # The library adds keys that were shown as null and then removes them
        # in one and the same patch.
        wanted = {'_dead_letter_queue': 'dead',
                  '_dead_letter_queue_messages_ttl': 120,
                  '_max_claim_count': 1}
        answered = self.queue.metadata(new_meta=wanted)
        self.assertEqual(dict(DEFAULTS, **wanted), answered)
        self.assertEqual(answered, self.queue.metadata(force_reload=True))

        self.post(1)
        claim = self.queue.claim(ttl=60, grace=60)
        self.assertEqual([0], self.bodies(claim))
        claim.delete()
        self.assertEqual([], list(self.queue.claim(ttl=60, grace=60)))
        dead, = self.other.queue('dead').messages()
        self.assertEqual({'n': 0}, dead.body)
        self.assertEqual(120, dead.ttl)

    def test_metadata_out_of_range_is_refused(self):
        with self.assertRaises(transport_errors.MalformedRequest):
            self.queue.metadata(new_meta={'_default_message_ttl': 5})
        self.assertEqual(DEFAULTS, self.queue.metadata(force_reload=True))

    def test_metadata_of_an_absent_queue_cannot_be_set(self):
        with self.assertRaises(transport_errors.ResourceNotFound):
            self.client.queue('absent').metadata(new_meta={'a': 1})

    def test_list_in_pages_with_count(self):
        names = ['work'] + ['q%02d' % n for n in range(11)]
        for name in names:
            self.client.queue(name, force_create=True)
        names.sort()

        queues, count = self.client.queues(limit=5, with_count=True)
        self.assertEqual(12, count)
        self.assertEqual(names[:5], [q.name for q in queues])

        queues, count = self.client.queues()
        self.assertIsNone(count)
        self.assertEqual(names[:10], [q.name for q in queues])

        queues, _ = self.client.queues(limit=5, with_count=True)
        self.assertEqual(names, [q.name for q in queues.stream()])

        queues, _ = self.client.queues(marker='q09', detailed=True)
        queues = list(queues)
        self.assertEqual(['q10', 'work'], [q.name for q in queues])
        self.assertEqual(DEFAULTS, queues[0]._metadata)
        self.assertEqual('/v2/queues/q10', queues[0].href)

    def test_list_of_nothing(self):
        nobody = new_client(uuid.uuid4().hex)
        queues, count = nobody.queues(with_count=True)
        self.assertEqual(0, count)
        self.assertEqual([], list(queues))

    def test_stats(self):
        self.assertEqual({'messages': {'free': 0, 'claimed': 0, 'total': 0}},
                         self.queue.stats)
        ids = self.post(3)
        self.queue.claim(ttl=60, grace=60, limit=1)
        stats = self.queue.stats['messages']
        self.assertEqual((2, 1, 3), (stats['free'], stats['claimed'], stats['total']))
        self.assertTrue(stats['oldest']['href'].endswith(ids[0]))
        self.assertTrue(stats['newest']['href'].endswith(ids[2]))
        self.assertRegex(stats['newest']['created'],
                         r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')

    def test_purge(self):
        self.queue.metadata(new_meta={'a': 1})
        self.post(3)
        self.client.subscription('work', subscriber='http://hook.example')
        self.queue.purge(resource_types=['subscriptions'])
        self.assertEqual([], list(self.client.subscriptions('work')))
        self.assertEqual(3, self.stats()['total'])
        self.queue.purge(resource_types=['messages'])
        self.assertEqual(0, self.stats()['total'])
        self.post(3)
        self.queue.purge()
        self.assertEqual(0, self.stats()['total'])
        self.assertEqual(1, self.queue.metadata(force_reload=True)['a'])

    def test_delete(self):
        self.post(1)
        self.queue.delete()
        self.assertEqual([], list(self.client.queues()[0]))
        self.assertEqual(0, self.stats()['total'])
        self.queue.delete()

    def test_projects_do_not_meet(self):
        self.post(1)
        stranger = new_client(uuid.uuid4().hex)
        self.assertEqual([], list(stranger.queue('work').messages(echo=True)))
        self.assertEqual([], list(stranger.queues()[0]))


class Subscriptions(Case):

    HOOK = 'https://hook.example/?a=b'

    def test_subscribe(self):
        made = self.client.subscription('work', subscriber=self.HOOK, ttl=600,
                                        options={'post_headers': {'X-A': 'b'}})
        for one in (made, self.other.subscription('work', id=made.id)):
            self.assertEqual(made.id, one.id)
            self.assertEqual(self.HOOK, one.subscriber)
            self.assertEqual(600, one.ttl)
            self.assertEqual({'post_headers': {'X-A': 'b'}}, one.options)
            self.assertIs(False, one.confirmed)
            self.assertIsInstance(one.age, int)

    def test_defaults(self):
        made = self.client.subscription('work', subscriber='mailto:a@b.example')
        self.assertEqual(60, made.ttl)  # the library's own
        self.assertEqual({}, made.options)

    def test_subscribing_creates_the_queue(self):
        self.client.subscription('lazy', subscriber=self.HOOK)
        self.assertEqual(['lazy', 'work'], [q.name for q in self.client.queues()[0]])

    def test_subscribe_again(self):
        first = self.client.subscription('work', subscriber=self.HOOK, ttl=600)
        again = self.client.subscription('work', subscriber=self.HOOK, ttl=900)
        self.assertEqual(first.id, again.id)
        self.assertEqual(600, again.ttl)

    def test_list(self):
        for n in range(13):
            self.client.subscription('work', subscriber='http://hook.example/%d' % n)
        self.assertEqual(10, len(list(self.client.subscriptions('work'))))
        listed = list(self.client.subscriptions('work').stream())
        self.assertEqual(['http://hook.example/%d' % n for n in range(13)],
                         [s.subscriber for s in listed])
        page = list(self.client.subscriptions('work', limit=3, marker=listed[3].id))
        self.assertEqual([s.id for s in listed[4:7]], [s.id for s in page])
        self.assertEqual({False}, {s.confirmed for s in listed})
        self.assertEqual([], list(self.client.subscriptions('absent')))

    def test_update(self):
        one = self.client.subscription('work', subscriber=self.HOOK, ttl=600)
        one.update({'subscriber': 'http://other.example', 'ttl': 700, 'options': {'a': 1}})
        seen = self.other.subscription('work', id=one.id)
        self.assertEqual(('http://other.example', 700, {'a': 1}),
                         (seen.subscriber, seen.ttl, seen.options))
        with self.assertRaises(transport_errors.MalformedRequest):
            one.update({'ttl': 1})

    def test_update_to_another_subscriber(self):
        self.client.subscription('work', subscriber='http://other.example')
        one = self.client.subscription('work', subscriber=self.HOOK)
        with self.assertRaises(transport_errors.ConflictError):
            one.update({'subscriber': 'http://other.example'})

    def test_delete(self):
        one = self.client.subscription('work', subscriber=self.HOOK)
        one.delete()
        one.delete()
        self.assertEqual([], list(self.client.subscriptions('work')))
        with self.assertRaises(transport_errors.ResourceNotFound):
            self.client.subscription('work', id=one.id)

    def test_refused(self):
        for wrong in ({'subscriber': 'ftp://x'}, {'subscriber': self.HOOK, 'ttl': 59},
                      {'subscriber': self.HOOK, 'options': 'x'}, {'subscriber': 5}):
            with self.assertRaises(transport_errors.TransportError, msg=str(wrong)):
                self.client.subscription('work', **wrong)


class Messages(Case):

    def test_post_one_and_get_it(self):
        resources = self.queue.post({'body': 'hello', 'ttl': 100})['resources']
        self.assertEqual(1, len(resources))
        message = self.queue.message(resources[0].rsplit('/', 1)[1])
        self.assertEqual('hello', message.body)
        self.assertEqual(100, message.ttl)
        self.assertEqual(resources[0], message.href)
        self.assertIsNone(message.claim_id)
        self.assertIsInstance(message.age, int)

    def test_post_creates_the_queue(self):
        lazy = self.client.queue('lazy')
        lazy.post({'body': 1})
        self.assertEqual(['lazy', 'work'], [q.name for q in self.client.queues()[0]])
        self.assertEqual(3600, next(self.other.queue('lazy').messages()).ttl)

    def test_bodies_of_every_type_come_back(self):
        bodies = [None, True, 0, -1.5, '', 'ünï\u0000\u2028 \U0001f600', [], {},
                  {'a': {'b': [1, None]}}, 'x' * 100000]
        self.queue.post([{'body': b} for b in bodies])
        self.assertEqual(bodies, [m.body for m in self.queue.messages(echo=True)])

    def test_list_hides_ones_own_unless_echoed(self):
        self.post(2)
        self.assertEqual([], list(self.queue.messages()))
        self.assertEqual([], list(self.queue.messages(echo=False)))
        self.assertEqual([0, 1], self.bodies(self.queue.messages(echo=True)))
        self.assertEqual([0, 1], self.bodies(self.other.queue('work').messages()))

    def test_iterate_over_pages(self):
        self.post(25)
        first = self.queue.messages(echo=True, limit=4)
        self.assertEqual(list(range(4)), self.bodies(first))
        stream = self.queue.messages(echo=True, limit=4).stream()
        self.assertEqual(list(range(25)), self.bodies(stream))
        default = self.queue.messages(echo=True)
        self.assertEqual(list(range(10)), self.bodies(default))

    def test_iteration_survives_deletes_and_sees_new_posts(self):
        self.post(4)
        seen = []
        stream = self.queue.messages(echo=True, limit=2).stream()
        for message in stream:
            seen.append(message.body['n'])
            message.delete()
            if len(seen) == 3:
                self.queue.post({'body': {'n': 4}})
        self.assertEqual([0, 1, 2, 3, 4], seen)

    def test_list_hides_claimed_ones_unless_included(self):
        self.post(3)
        claim = self.queue.claim(ttl=60, grace=60, limit=2)
        self.assertEqual([2], self.bodies(self.queue.messages(echo=True)))
        every = list(self.queue.messages(echo=True, include_claimed=True))
        self.assertEqual([0, 1, 2], self.bodies(every))
        self.assertEqual([claim.id, claim.id, None], [m.claim_id for m in every])

    def test_list_hides_delayed_ones_unless_included(self):
        self.queue.metadata(new_meta={'_default_message_delay': 60})
        self.post(2, delay=0)
        self.queue.post({'body': {'n': 2}})
        self.assertEqual([0, 1], self.bodies(self.queue.messages(echo=True)))
        every = self.queue.messages(echo=True, include_delayed=True)
        self.assertEqual([0, 1, 2], self.bodies(every))

    def test_get_by_ids(self):
        ids = self.post(4)
        found = self.queue.messages(ids[2], ids[0])
        self.assertEqual({0, 2}, set(self.bodies(found)))
        found = self.queue.messages(ids[1], 'nonsense')
        self.assertEqual([1], self.bodies(found))
        with self.assertRaises(transport_errors.ResourceNotFound):
            self.queue.messages('nonsense', 'more')

    def test_delete_one(self):
        ids = self.post(2)
        message = self.queue.message(ids[0])
        message.delete()
        message.delete()
        with self.assertRaises(transport_errors.ResourceNotFound):
            self.queue.message(ids[0])
        self.assertEqual([1], self.bodies(self.queue.messages(echo=True)))

    def test_delete_many(self):
        ids = self.post(4)
        self.queue.delete_messages(ids[0], ids[2], 'nonsense')
        self.assertEqual([1, 3], self.bodies(self.queue.messages(echo=True)))
        self.queue.delete_messages(ids[0])

    def test_pop(self):
        self.post(4)
        one, = self.queue.pop()
        self.assertEqual(0, one.body['n'])
        self.assertEqual([1, 2], self.bodies(self.queue.pop(count=2)))
        self.assertEqual([3], self.bodies(self.queue.pop(count=20)))
        self.assertEqual([], list(self.queue.pop(count=20)))
        self.assertEqual([], list(self.client.queue('absent').pop()))


class Claims(Case):

    def test_create_get_update_release(self):
        self.post(3)
        claim = self.queue.claim(ttl=120, grace=60, limit=2)
        self.assertEqual([0, 1], self.bodies(claim))

        seen = self.queue.claim(id=claim.id)
        messages = list(seen)
        self.assertEqual([0, 1], self.bodies(messages))
        self.assertEqual(120, seen.ttl)
        self.assertIsInstance(seen.age, int)
        self.assertEqual({claim.id}, {m.claim_id for m in messages})

        claim.update(ttl=300, grace=100)
        seen = self.queue.claim(id=claim.id)
        self.assertEqual(2, len(list(seen)))
        self.assertEqual(300, seen.ttl)

        self.assertEqual({'free': 1, 'claimed': 2, 'total': 3}, self.stats())
        claim.delete()
        claim.delete()
        self.assertEqual({'free': 3, 'claimed': 0, 'total': 3}, self.stats())
        with self.assertRaises(transport_errors.ResourceNotFound):
            list(self.queue.claim(id=claim.id))

    def test_defaults(self):
        # The library sends null for what the caller leaves out.
        self.post(12)
        claim = self.queue.claim()
        self.assertEqual(list(range(10)), self.bodies(claim))
        self.assertEqual(300, self.queue.claim(id=claim.id).ttl)

    def test_claims_exclude_each_other(self):
        self.post(3)
        first = self.queue.claim(ttl=60, grace=60, limit=2)
        second = self.other.queue('work').claim(ttl=60, grace=60)
        self.assertEqual([0, 1], self.bodies(first))
        self.assertEqual([2], self.bodies(second))
        nothing = self.queue.claim(ttl=60, grace=60)
        self.assertIsNone(nothing.id)
        self.assertEqual([], list(nothing))

    def test_claim_of_an_absent_queue(self):
        nothing = self.client.queue('absent').claim(ttl=60, grace=60)
        self.assertIsNone(nothing.id)
        self.assertEqual(['work'], [q.name for q in self.client.queues()[0]])

    def test_delete_with_the_claim(self):
        ids = self.post(2)
        claim = self.queue.claim(ttl=60, grace=60)
        for message in claim:
            self.assertEqual(claim.id, message.claim_id)
            message.delete()
        self.assertEqual(0, self.stats()['total'])
        with self.assertRaises(transport_errors.ResourceNotFound):
            self.queue.message(ids[0])
        with self.assertRaises(transport_errors.ResourceNotFound):
            list(self.queue.claim(id=claim.id))

    def test_delete_without_the_claim_is_forbidden(self):
        ids = self.post(1)
        unclaimed = self.queue.message(ids[0])
        claim = self.queue.claim(ttl=60, grace=60)
        with self.assertRaises(transport_errors.ForbiddenError):
            unclaimed.delete()
        held, = claim
        claim.delete()
        with self.assertRaises(transport_errors.MalformedRequest):
            held.delete()
        unclaimed.delete()

    def test_a_claim_keeps_its_messages_alive(self):
        self.post(1, ttl=60)
        claim = self.queue.claim(ttl=600, grace=100)
        message, = claim
        self.assertLessEqual(600, message.ttl)

    def test_iterate_claim_and_delete_until_empty(self):
        self.post(45)
        done = []
        for _ in range(10):
            claim = self.queue.claim(ttl=60, grace=60, limit=20)
            for message in claim:
                done.append(message.body['n'])
                message.delete()
            if claim.id is None:
                break
        self.assertEqual(list(range(45)), done)


class Errors(Case):

    def refused(self, kind, call, *args, **kwargs):
        with self.assertRaises(kind) as caught:
            call(*args, **kwargs)
        text = str(caught.exception)
        self.assertIn('Code: %d.' % kind.code, text)
        # Title and description were found in the body, so the library does
        # not fall back to showing the body itself.
        self.assertIn('Title: ', text)
        self.assertIn('Description: ', text)
        self.assertNotIn('Text: ', text)

    def test_bad_requests(self):
        bad = transport_errors.MalformedRequest
        self.refused(bad, self.client.queues, limit=21)
        self.refused(bad, self.client.queues, limit=0)
        self.refused(bad, self.queue.messages, limit='many')
        self.refused(bad, self.queue.post, [])
        self.refused(bad, self.queue.post, {'ttl': 60})
        self.refused(bad, self.queue.post, {'body': 1, 'ttl': 59})
        self.refused(bad, self.queue.post, {'body': 'x' * 262144})
        self.refused(bad, self.queue.pop, count=21)
        self.refused(bad, self.queue.claim, ttl=59, grace=60)
        self.refused(bad, self.queue.claim, ttl=60, grace=60, limit=21)
        self.refused(bad, self.queue.delete_messages, *map(str, range(21)))
        self.refused(bad, self.client.queue, 'n' * 65, force_create=True)

    def test_absent(self):
        absent = transport_errors.ResourceNotFound
        self.refused(absent, self.queue.message, 'nonsense')
        claim = self.queue.claim(id='nonsense')  # asks nothing yet
        self.refused(absent, lambda: claim.age)
        self.refused(absent, claim.update, ttl=60)

    def test_forbidden(self):
        ids = self.post(1)
        message = self.queue.message(ids[0])
        self.queue.claim(ttl=60, grace=60)
        self.refused(transport_errors.ForbiddenError, message.delete)

    def test_conflict(self):
        request, transport = self.client._request_and_transport()
        self.refused(transport_errors.ConflictError, core.queue_update,
                     transport, request, 'work',
                     [{'op': 'replace', 'path': '/metadata/unset', 'value': 1}])

    def test_a_bad_client_id(self):
        self.client.client_uuid = 'nobody'
        self.refused(transport_errors.MalformedRequest, self.client.queues)


class SignedURLs(Case):

    def with_grant(self, grant):
        return client.Client(URL, version=2, conf={'auth_opts': {
            'backend': 'signed-url', 'options': {
                'signature': grant['signature'], 'expires': grant['expires'],
                'methods': grant['methods'], 'paths': grant['paths'],
                'os_project_id': grant['project']}}})

    def test_a_grant_opens_its_queue_alone(self):
        self.post(2)
        grant = self.queue.signed_url(paths=['messages'], ttl_seconds=3600,
                                      methods=['GET', 'POST'])
        self.assertEqual(['/v2/queues/work/messages'], grant['paths'])
        guest = self.with_grant(grant)
        queue = guest.queue('work', auto_create=False)
        self.assertEqual([0, 1], self.bodies(queue.messages(echo=True)))
        queue.post([{'body': {'n': 2}, 'ttl': 300}])
        self.assertEqual(3, self.stats()['total'])
        for refused in (lambda: guest.queue('other', auto_create=False).post([{'body': 1}]),
                        lambda: queue.claim(ttl=100, grace=100),
                        lambda: guest.queues()):
            with self.assertRaises(transport_errors.ResourceNotFound):
                refused()

    def test_the_defaults(self):
        grant = self.queue.signed_url()
        self.assertEqual((['GET'], ['/v2/queues/work/messages']),
                         (grant['methods'], grant['paths']))
        self.assertEqual(64, len(grant['signature']))


if __name__ == '__main__':
    unittest.main()
