package policy

import (
	"slices"
	"strings"
)

// Rule is a rule that the server asks for, or a building block of such rules.
type Rule struct {
	Name    string
	Default string // in the policy language
	Help    string
	// Operations are what the rule guards; none: a building block.
	Operations []Operation
}

// Operation is a request that a rule guards.
type Operation struct {
	Method, Path string
}

// anyone is the check that every caller passes.
const anyone = ""

// adminRule is the building block that says who is an administrator; the check
// is_admin asks it.
const adminRule = "context_is_admin"

// admin is the check that administrators pass. It names the role itself, as the
// rules of the original do: who redefines context_is_admin does not hand out
// more than that.
const admin = "role:admin"

// Rules is the table of all rules, in the order in which they are shown. It is
// the one place where rules are defined.
func Rules() []Rule {
	return slices.Concat(
		[]Rule{
			{adminRule, admin, "Who is an administrator: is_admin is true for those.", nil},
			{"admin_or_owner", "is_admin:True or project_id:%(project_id)s", "An administrator, or anybody in the own project.", nil},
		},
		queueRules(), messageRules(), subscriptionRules(), topicRules(), adminRules(),
	)
}

func queueRules() []Rule {
	const queue = "/v2/queues/{queue_name}"
	const claim = queue + "/claims/{claim_id}"
	return []Rule{
		{"queues:get_all", anyone, "List queues.", on("GET /v2/queues")},
		{"queues:create", anyone, "Create a queue.", on("PUT " + queue)},
		{"queues:get", anyone, "Show a queue's metadata.", on("GET " + queue)},
		{"queues:delete", anyone, "Delete a queue with its messages.", on("DELETE " + queue)},
		{"queues:update", anyone, "Change a queue's metadata.", on("PATCH " + queue)},
		{"queues:stats", anyone, "Count a queue's messages.", on("GET " + queue + "/stats")},
		{"queues:share", anyone, "Make a pre-signed URL of a queue.", on("POST " + queue + "/share")},
		{"queues:purge", anyone, "Remove a queue's messages or subscriptions.", on("POST " + queue + "/purge")},

		{"claims:create", anyone, "Claim messages.", on("POST " + queue + "/claims")},
		{"claims:get", anyone, "Show a claim.", on("GET " + claim)},
		{"claims:update", anyone, "Extend a claim.", on("PATCH " + claim)},
		{"claims:delete", anyone, "Release a claim.", on("DELETE " + claim)},
	}
}

func messageRules() []Rule {
	all := func(method string) []Operation {
		return on(method+" /v2/queues/{queue_name}/messages", method+" /v2/topics/{topic_name}/messages")
	}
	one := func(method string) []Operation {
		return on(method+" /v2/queues/{queue_name}/messages/{message_id}", method+" /v2/topics/{topic_name}/messages/{message_id}")
	}
	return []Rule{
		{"messages:get_all", anyone, "List messages, or get several.", all("GET")},
		{"messages:create", anyone, "Post messages.", all("POST")},
		{"messages:get", anyone, "Get one message.", one("GET")},
		{"messages:delete", anyone, "Delete one message.", one("DELETE")},
		{"messages:delete_all", anyone, "Delete several messages, or pop some.", all("DELETE")},
	}
}

func subscriptionRules() []Rule {
	at := func(method, rest string) []Operation {
		return on(method+" /v2/queues/{queue_name}/subscriptions"+rest, method+" /v2/topics/{topic_name}/subscriptions"+rest)
	}
	const one = "/{subscription_id}"
	return []Rule{
		{"subscription:get_all", anyone, "List subscriptions.", at("GET", "")},
		{"subscription:create", anyone, "Subscribe.", at("POST", "")},
		{"subscription:get", anyone, "Show a subscription.", at("GET", one)},
		{"subscription:update", anyone, "Change a subscription.", at("PATCH", one)},
		{"subscription:delete", anyone, "Unsubscribe.", at("DELETE", one)},
		{"subscription:confirm", anyone, "Confirm a subscription, or take that back.", at("PUT", one+"/confirm")},
		// The original does not have these: they follow what an operator says about those it has.
		{"subscription:deliveries", "rule:subscription:get", "See what became of the deliveries of a subscription.", at("GET", one+"/deliveries")},
		{"subscription:replay", "rule:subscription:update", "Have deliveries made once more.", at("POST", one+"/replay")},
		{"subscription:secret", "rule:subscription:update", "See or rotate the keys that sign deliveries.",
			append(at("GET", one+"/secret"), at("POST", one+"/secret")...)},
	}
}

func topicRules() []Rule {
	const topic = "/v2/topics/{topic_name}"
	return []Rule{
		{"topics:get_all", anyone, "List topics.", on("GET /v2/topics")},
		{"topics:create", anyone, "Create a topic.", on("PUT " + topic)},
		{"topics:get", anyone, "Show a topic's metadata.", on("GET " + topic)},
		{"topics:delete", anyone, "Delete a topic with its messages.", on("DELETE " + topic)},
		{"topics:update", anyone, "Change a topic's metadata.", on("PATCH " + topic)},
		{"topics:stats", anyone, "Count a topic's messages.", on("GET " + topic + "/stats")},
		{"topics:purge", anyone, "Remove a topic's messages or subscriptions.", on("POST " + topic + "/purge")},
	}
}

func adminRules() []Rule {
	const pool, flavor, quota = "/v2/pools/{pool}", "/v2/flavors/{flavor}", "/v2/quotas/{project_id}"
	return []Rule{
		{"pools:get_all", admin, "List pools.", on("GET /v2/pools")},
		{"pools:create", admin, "Register a pool.", on("PUT " + pool)},
		{"pools:get", admin, "Show a pool.", on("GET " + pool)},
		{"pools:delete", admin, "Remove a pool.", on("DELETE " + pool)},
		{"pools:update", admin, "Change a pool.", on("PATCH " + pool)},

		{"flavors:get_all", anyone, "List flavors.", on("GET /v2/flavors")},
		{"flavors:create", admin, "Create a flavor.", on("PUT " + flavor)},
		{"flavors:get", anyone, "Show a flavor.", on("GET " + flavor)},
		{"flavors:delete", admin, "Delete a flavor.", on("DELETE " + flavor)},
		{"flavors:update", admin, "Change a flavor.", on("PATCH " + flavor)},

		{"quotas:get_all", admin, "List the quotas of projects, and show that of another project.", on("GET /v2/quotas", "GET "+quota)},
		{"quotas:get", anyone, "Show the quota of the own project.", on("GET "+quota, "GET "+quota+"/defaults")},
		{"quotas:update", admin, "Change the quota of a project.", on("PUT " + quota)},
		{"quotas:delete", admin, "Take back the quota of a project.", on("DELETE " + quota)},

		{"ping:get", anyone, "Ask whether the server is there.", on("GET /v2/ping", "HEAD /v2/ping")},
		{"health:get", admin, "Ask for a report on the stores.", on("GET /v2/health")},
	}
}

// on makes operations of texts like "GET /v2/queues".
func on(requests ...string) []Operation {
	var ops []Operation
	for _, r := range requests {
		method, path, _ := strings.Cut(r, " ")
		ops = append(ops, Operation{method, path})
	}
	return ops
}
