"""The message proxy of openstacksdk, unmodified, against a running server.

The environment says where things are:

    OS_AUTH_URL      an identity service whose catalogue names the server; it
                     takes any password and makes the user's name the project's
"""

import os
import unittest
import uuid

import openstack
from openstack import exceptions
from openstack.message.v2 import claim as claims
from openstack.message.v2 import queue as queues

AUTH_URL = os.environ['OS_AUTH_URL']


def connect(project):
    return openstack.connect(
        auth_url=AUTH_URL, username=project, password='any',
        project_name=project, user_domain_id='default',
        project_domain_id='default', region_name='RegionOne')


class Case(unittest.TestCase):
    """Each test has a project of its own."""

    def setUp(self):
        self.connection = connect(uuid.uuid4().hex)
        self.addCleanup(self.connection.close)
        self.message = self.connection.message

    # Claims that the proxy makes overwrite the Location header with the place of
    # their project and then look for their id in it: create_claim, and get_claim
    # in older versions, fail in the library after the server has answered well.
    # Claims made by hand do not.

    def create_claim(self, **terms):
        return claims.Claim.new(queue_name='work', **terms).create(self.message)

    def get_claim(self, claim):
        return claims.Claim.new(queue_name='work', id=claim).fetch(self.message)

    def post(self, count, **extra):
        return self.message.post_message(
            'work', [dict({'body': {'n': n}, 'ttl': 300}, **extra)
                     for n in range(count)])

    def numbers(self, messages):
        return [m.body['n'] for m in messages]


class Queues(Case):

    def test_discovery_finds_version_2(self):
        data = self.message.get_endpoint_data()
        self.assertEqual((2, 0), data.api_version)
        self.assertTrue(data.url.endswith('/v2/'), data.url)

    def test_create_and_get(self):
        self.message.create_queue(
            name='work', description='a queue', default_message_ttl=600,
            max_messages_post_size=1000)
        queue = self.message.get_queue('work')
        self.assertEqual('work', queue.name)
        self.assertEqual('a queue', queue.description)
        self.assertEqual(600, queue.default_message_ttl)
        self.assertEqual(1000, queue.max_messages_post_size)
        self.message.create_queue(name='work')
        self.assertEqual(600, self.message.get_queue('work').default_message_ttl)

    def test_location(self):
        for _ in range(2):  # the second time the queue is there
            queue = queues.Queue.new(name='work').create(self.message)
            self.assertEqual('/v2/queues/work', queue.location)

    def test_get_an_absent_queue(self):
        self.assertEqual(3600, self.message.get_queue('absent').default_message_ttl)

    def test_list_nothing(self):
        self.assertEqual([], list(self.message.queues()))

    def test_list_in_pages_by_the_last_name(self):
        names = ['q%02d' % n for n in range(23)]
        for name in names:
            self.message.create_queue(name=name)
        self.assertEqual(names, [q.name for q in self.message.queues()])
        self.assertEqual(names, [q.name for q in self.message.queues(limit=4)])
        self.assertEqual(names[7:], [q.name for q in self.message.queues(marker='q06')])

    def test_delete(self):
        self.message.create_queue(name='work')
        self.message.delete_queue('work')
        self.assertEqual([], list(self.message.queues()))
        self.message.delete_queue('work', ignore_missing=False)

    def test_projects_do_not_meet(self):
        self.message.create_queue(name='work')
        with connect(uuid.uuid4().hex) as other:
            self.assertEqual([], list(other.message.queues()))


class Messages(Case):

    def test_post_and_get(self):
        resources = self.message.post_message(
            'work', [{'body': 'one', 'ttl': 100}, {'body': {'two': 2}, 'ttl': 200}])
        self.assertEqual(2, len(resources))
        self.assertTrue(resources[0].startswith('/v2/queues/work/messages/'))
        message = self.message.get_message('work', resources[1].rsplit('/', 1)[1])
        self.assertEqual({'two': 2}, message.body)
        self.assertEqual(200, message.ttl)
        self.assertEqual(resources[1], message.href)
        self.assertLessEqual(0, message.age)

    def test_get_an_absent_message(self):
        self.post(1)
        with self.assertRaises(exceptions.NotFoundException):
            self.message.get_message('work', 'nonsense')

    def test_list_in_pages_by_the_last_id(self):
        # The proxy does not follow links: its marker is the id of the last
        # message of the page.
        self.post(25)
        messages = list(self.message.messages('work'))
        self.assertEqual(list(range(25)), self.numbers(messages))
        self.assertEqual(25, len({m.id for m in messages}))
        for limit in (1, 7, 20):
            found = self.message.messages('work', limit=limit)
            self.assertEqual(list(range(25)), self.numbers(found), limit)

    def test_list_of_ones_own_messages(self):
        # Every request has a Client-ID of its own, so echo changes nothing.
        self.post(3)
        for echo in (True, False):
            found = self.message.messages('work', echo=echo)
            self.assertEqual([0, 1, 2], self.numbers(found))

    def test_list_with_claimed_ones(self):
        self.post(12)
        self.create_claim(ttl=60, grace=60)
        self.assertEqual([10, 11], self.numbers(self.message.messages('work')))
        found = self.message.messages('work', include_claimed=True, limit=5)
        self.assertEqual(list(range(12)), self.numbers(found))

    def test_list_an_absent_queue(self):
        self.assertEqual([], list(self.message.messages('absent')))

    def test_delete(self):
        ids = [r.rsplit('/', 1)[1] for r in self.post(2)]
        self.message.delete_message('work', ids[0])
        self.message.delete_message('work', ids[0], ignore_missing=False)
        self.assertEqual([1], self.numbers(self.message.messages('work')))

    def test_delete_with_a_claim(self):
        ids = [r.rsplit('/', 1)[1] for r in self.post(2)]
        claim = self.create_claim(ttl=60, grace=60)
        with self.assertRaises(exceptions.HttpException) as caught:
            self.message.delete_message('work', ids[0])
        self.assertEqual(403, caught.exception.status_code)
        self.message.delete_message('work', ids[0], claim=claim)
        self.message.delete_message('work', ids[1], claim=claim.id)
        self.assertEqual([], list(self.message.messages('work', include_claimed=True)))


class Claims(Case):

    def test_create_get_update_delete(self):
        self.post(3)
        claim = self.create_claim(ttl=120, grace=60)
        self.assertEqual([0, 1, 2], [m['body']['n'] for m in claim.messages])
        self.assertEqual('/v2/queues/work/claims/' + claim.id, claim.location)

        seen = self.get_claim(claim.id)
        self.assertEqual(120, seen.ttl)
        self.assertLessEqual(0, seen.age)
        self.assertEqual(3, len(seen.messages))

        self.message.update_claim('work', claim.id, ttl=240, grace=100)
        self.assertEqual(240, self.get_claim(claim.id).ttl)

        self.message.delete_claim('work', claim.id)
        with self.assertRaises(exceptions.NotFoundException):
            self.message.get_claim('work', claim.id)
        self.message.delete_claim('work', claim.id, ignore_missing=False)
        self.assertEqual([0, 1, 2], self.numbers(self.message.messages('work')))

    def test_limit_in_the_body_is_ignored(self):
        self.post(12)
        claim = self.create_claim(ttl=60, grace=60, limit=2)
        self.assertEqual(10, len(claim.messages))

    def test_without_terms(self):
        self.post(1)
        claim = self.create_claim()
        self.assertEqual(300, self.get_claim(claim.id).ttl)

    def test_nothing_to_claim(self):
        claim = self.message.create_claim('work', ttl=60, grace=60)
        self.assertIsNone(claim.id)
        self.assertIsNone(claim.messages)

    def test_bad_terms(self):
        self.post(1)
        with self.assertRaises(exceptions.BadRequestException):
            self.message.create_claim('work', ttl=1)
        with self.assertRaises(exceptions.BadRequestException):
            self.message.create_claim('work', grace=43201)


class Subscriptions(Case):

    def test_life_of_a_subscription(self):
        made = self.message.create_subscription(
            'work', subscriber='http://hook.example', ttl=600, options={'a': 1})
        self.assertTrue(made.subscription_id)
        seen = self.message.get_subscription('work', made.subscription_id)
        self.assertEqual(('http://hook.example', 600, {'a': 1}, 'work'),
                         (seen.subscriber, seen.ttl, seen.options, seen.source))
        self.assertLessEqual(0, seen.age)
        again = self.message.create_subscription(
            'work', subscriber='http://hook.example', ttl=900)
        self.assertEqual(made.subscription_id, again.subscription_id)
        self.message.delete_subscription('work', made.subscription_id)
        with self.assertRaises(exceptions.NotFoundException):
            self.message.get_subscription('work', made.subscription_id)

    def test_list(self):
        for n in range(13):
            self.message.create_subscription(
                'work', subscriber='http://hook.example/%d' % n, ttl=2**36)
        listed = list(self.message.subscriptions('work'))
        self.assertEqual(['http://hook.example/%d' % n for n in range(13)],
                         [s.subscriber for s in listed])
        self.assertEqual({2**36}, {s.ttl for s in listed})

    def test_refused(self):
        with self.assertRaises(exceptions.BadRequestException):
            self.message.create_subscription('work', subscriber='ftp://x')


if __name__ == '__main__':
    unittest.main()
