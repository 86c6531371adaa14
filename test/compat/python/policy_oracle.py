"""Decides policy rules with oslo.policy: cases in, decisions out, as JSON.

A case is [rules, credentials, target]; its decision is that of the rule "x":
true, false, or null if the library fails.
"""

import json
import logging
import sys

from oslo_config import cfg
from oslo_policy import policy

logging.disable(logging.CRITICAL)
enforcer = policy.Enforcer(cfg.ConfigOpts(), use_conf=False)
enforcer.suppress_deprecation_warnings = True


def decide(rules, credentials, target):
    try:
        enforcer.set_rules(policy.Rules.from_dict(rules, 'default'), overwrite=True)
        return bool(enforcer.enforce('x', target, credentials))
    except Exception:
        return None


json.dump([decide(*case) for case in json.load(sys.stdin)], sys.stdout)
