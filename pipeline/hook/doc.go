// Package hook is a stage of pipelines that asks a service of the operator's over
// HTTP what to do: for those who want a stage without building a program.
//
// What is done to messages, claims, subscriptions and queues is described to the
// service before it is done, one request for each operation:
//
//	POST <url>
//	{"operation": "messages.post", "project": "p", "queue": "q",
//	 "caller": {"user": "u", "roles": ["member"], "client": "3381…", "address": "192.0.2.7", "request": "req-…"},
//	 "messages": [{"ttl": 300, "delay": 0, "body": {"any": "JSON"}}]}
//
// A topic has "topic" in the place of "queue". caller is missing where the service
// acts by itself. Bodies of encrypted queues are not told: the message has
// "encrypted": true instead.
//
//	operation               further members
//	messages.post           messages
//	messages.delete         ids
//	messages.pop            limit
//	messages.purge
//	claims.create           ttl, grace, limit
//	subscriptions.create    subscriber, options, ttl
//	subscriptions.delete    id
//	queues.create           metadata
//	queues.update
//	queues.delete
//
// Operations on topics themselves are called topics.create and so on.
//
// The answer decides. 2xx lets it pass; to messages.post it may bring messages
// with other bodies, in the same order and number: {"messages": [{"body": …}]}.
// 400, 403, 404, 409 and 429 refuse with that status, and the client gets the text
// in {"description": "…"}. Anything else, and no answer in time, is a failure:
// then operations are refused with 503, or pass, as the operator wants it.
package hook
