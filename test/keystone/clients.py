"""openstacksdk and python-zaqarclient, with a token of a real Keystone."""

import os

import openstack
from zaqarclient.queues import client

AUTH = {key: os.environ['OS_' + key.upper()] for key in
        ('auth_url', 'username', 'password', 'project_id', 'user_domain_id')}

cloud = openstack.connection.Connection(auth=AUTH, message_api_version='2')
assert cloud.session.get_project_id() == AUTH['project_id']
cloud.message.create_queue(name='by-sdk')
assert [q.name for q in cloud.message.queues() if q.name == 'by-sdk']
cloud.message.post_message('by-sdk', [{'body': 'hello', 'ttl': 60}])
assert [m.body for m in cloud.message.messages('by-sdk', echo=True)] == ['hello']
cloud.message.delete_queue('by-sdk')
print('openstacksdk')

endpoint = cloud.session.get_endpoint(service_type='messaging', interface='public')
zaqar = client.Client(endpoint, version=2, conf={'auth_opts': {
    'backend': 'keystone', 'options': {'os_auth_token': cloud.session.get_token(),
                                       'os_project_id': AUTH['project_id']}}})
queue = zaqar.queue('by-zaqarclient')
queue.post([{'body': {'n': 1}, 'ttl': 60}])
assert [m.body for m in queue.messages(echo=True)] == [{'n': 1}]
queue.delete()
print('python-zaqarclient')
