"""What schemathesis has to be told about the API beyond its description."""

import json

import schemathesis


@schemathesis.serializer('application/openstack-messaging-v2.0-json-patch')
def serialize_patch(context, value):
    return json.dumps(value).encode()


@schemathesis.deserializer('application/json-home')
def deserialize_home(context, response):
    return json.loads(response.content)


@schemathesis.hook
def filter_body(context, body):
    """Integers anywhere in a body must fit 64 bits, which no schema can say.

    Larger ones would be taken for valid requests that were refused.
    """
    return fits(body)


def fits(value):
    if isinstance(value, dict):
        return all(fits(v) for v in value.values())
    if isinstance(value, list):
        return all(fits(v) for v in value)
    # Fractions without a fractional part are written like integers.
    if isinstance(value, (int, float)):
        return -2**63 <= value < 2**63
    return True
