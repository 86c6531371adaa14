package isolation

import (
	"strings"
)

// ask is how an operation is asked: with each of the queries and each of the
// bodies.
type ask struct {
	queries []string // without ?; the empty one is always asked
	bodies  []string // none: without a body
	kind    string   // of the body
}

const patchType = "application/openstack-messaging-v2.0-json-patch"

// cases says how each operation is asked. In queries and bodies, {name} is
// replaced by everything that A has of that kind, and by disguises of it.
func cases() map[string]ask {
	post := ask{bodies: []string{`{"messages": [{"body": "B", "ttl": 60}]}`, `{"messages": [{"body": "B", "id": "{message_id}"}]}`}}
	read := ask{queries: []string{"echo=true&include_claimed=true&include_delayed=true", "ids={message_id}", "echo=true&marker={marker}", "echo=true&limit=1"}}
	remove := ask{queries: []string{"ids={message_id}", "pop=1", "ids={message_id}&claim_ids={claim_id}"}}
	one := ask{queries: []string{"claim_id={claim_id}"}}
	list := ask{queries: []string{"detailed=true&with_count=true", "marker={queue_name}", "name={queue_name}", "owner=kept%20by%20A%20alone", "limit=1"}}
	create := ask{bodies: []string{`{}`, `{"_dead_letter_queue": "{queue_name}", "_max_claim_count": 1}`}}
	patch := ask{kind: patchType, bodies: []string{`[]`, `[{"op": "add", "path": "/metadata/owner", "value": "B"}]`}}
	purge := ask{bodies: []string{"", `{"resource_types": ["messages", "subscriptions"]}`}}
	subscribers := ask{queries: []string{"marker={subscription_id}", "limit=1"}}
	subscribe := ask{bodies: []string{`{"subscriber": "http://of.b/new"}`, `{"subscriber": "` + subscriberOfBoth + `"}`, `{"subscriber": "http://of.b/{subscription_id}", "options": {"trust_id": "{subscription_id}"}}`}}
	resubscribe := ask{bodies: []string{`{"ttl": 7200}`, `{"subscriber": "http://of.b/2"}`, `{"options": {"post_data": "B"}}`}}
	confirm := ask{bodies: []string{`{"confirmed": true}`, `{"confirmed": false}`}}
	replay := ask{bodies: []string{`{"what": "all"}`, `{"what": "failed", "since": "2020-01-01T00:00:00Z"}`}}
	link := "Signature=" + strings.Repeat("0", 64) + "&Methods=PUT&Project=" + projectA + "&Expires=2096-01-01T00:00:00&Paths=/v2/queues/{queue_name}/subscriptions/{subscription_id}/confirm"
	page := ask{queries: []string{link}}
	press := ask{kind: "application/x-www-form-urlencoded", queries: []string{link}, bodies: []string{"confirmed=true", "confirmed=false"}}
	all := map[string]ask{
		"GET /healthcheck": {}, "HEAD /healthcheck": {}, "GET /v2/confirm": page, "HEAD /v2/confirm": page, "POST /v2/confirm": press,
		"GET /": {}, "GET /openapi.yaml": {}, "GET /v2/": {}, "GET /v2/ping": {}, "HEAD /v2/ping": {}, "GET /v2/health": {},

		"GET /v2/queues": list, "GET /v2/topics": list,
		"POST /v2/queues/{queue_name}/share":               {bodies: []string{`{}`, `{"paths": ["messages", "claims", "subscriptions"], "methods": ["GET", "DELETE"], "expires": "2096-01-01"}`}},
		"POST /v2/queues/{queue_name}/claims":              {queries: []string{"limit=1"}, bodies: []string{"", `{"ttl": 60, "grace": 60}`}},
		"GET /v2/queues/{queue_name}/claims/{claim_id}":    {},
		"PATCH /v2/queues/{queue_name}/claims/{claim_id}":  {bodies: []string{`{"ttl": 60, "grace": 60}`}},
		"DELETE /v2/queues/{queue_name}/claims/{claim_id}": {},

		"GET /v2/quotas":                       {queries: []string{"marker={project_id}"}},
		"GET /v2/quotas/{project_id}":          {},
		"GET /v2/quotas/{project_id}/defaults": {},
		"PUT /v2/quotas/{project_id}":          {bodies: []string{`{"quota": {"queues": 1}}`, `{"queues": 1}`}},
		"DELETE /v2/quotas/{project_id}":       {},
	}
	for container, variable := range map[string]string{"/v2/queues/": "{queue_name}", "/v2/topics/": "{topic_name}"} {
		it := container + variable
		all["GET "+it], all["PUT "+it], all["PATCH "+it], all["DELETE "+it] = ask{}, create, patch, ask{}
		all["GET "+it+"/stats"], all["POST "+it+"/purge"] = ask{}, purge
		all["GET "+it+"/messages"], all["POST "+it+"/messages"], all["DELETE "+it+"/messages"] = read, post, remove
		all["GET "+it+"/subscriptions"], all["POST "+it+"/subscriptions"] = subscribers, subscribe
		sub := it + "/subscriptions/{subscription_id}"
		all["GET "+sub], all["PATCH "+sub], all["DELETE "+sub], all["PUT "+sub+"/confirm"] = ask{}, resubscribe, ask{}, confirm
		all["GET "+sub+"/deliveries"], all["POST "+sub+"/replay"], all["GET "+sub+"/secret"], all["POST "+sub+"/secret"] = ask{}, replay, ask{}, ask{}
		all["GET "+it+"/messages/{message_id}"], all["DELETE "+it+"/messages/{message_id}"] = one, one
	}
	return all
}

// things are the identifiers that A has, by the names of variables.
type things map[string][]string

// disguises are spellings of an identifier that might be taken for it
// somewhere behind the door.
func disguises(variable, id string) []string {
	if id == "" {
		return nil
	}
	list := []string{
		strings.ToUpper(id), strings.ToLower(id), id + "%00", id + "%0a", id + "%20", "%20" + id, id + ".", id + "/", id + "%2F", "%2F" + id, "./" + id, "%2e/" + id,
		"..%2F" + id, "x/../" + id, "x%2F..%2F" + id, "x%2f%2e%2e%2f" + id, "x%5C..%5C" + id, id + ";x", id + "%3Fx", id + "%23", escaped(id), double(id), id + "*", "*", "%25", "_", ".*",
		wide(id), id + "%CC%81", id + "%E2%80%8B", "%FF" + id, "%C0%AE%C0%AE%C0%AF" + id, "-1", "0", "null", "", strings.Repeat("x", 300),
		projectA + "." + id, projectA + "%2F" + id, projectA + ":" + id, projectA + "/" + id, "..%2F" + projectA + "%2F" + id,
	}
	if variable == "message_id" || variable == "claim_id" || variable == "subscription_id" {
		list = append(list, neighbour(id, 1), neighbour(id, -1), neighbour(id, 7), id[:len(id)-1], id+"0", "0x"+id, id+".1")
	}
	return list
}

// escaped escapes what needs no escape.
func escaped(id string) string {
	const digits = "0123456789ABCDEF"
	return "%" + string(digits[id[0]>>4]) + string(digits[id[0]&15]) + id[1:]
}

// double escapes it twice.
func double(id string) string { return "%25" + strings.TrimPrefix(escaped(id), "%") }

// wide writes the first letter in full width, which some normalisations undo.
func wide(id string) string {
	if id[0] < 'a' || id[0] > 'z' {
		return id + "%EF%BC%8E"
	}
	return "%EF%BD" + "%" + strings.ToUpper(hexByte(0x81+id[0]-'a')) + id[1:]
}

func hexByte(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[b>>4], digits[b&15]})
}

// neighbour is the id that is n after an id in hexadecimal digits.
func neighbour(id string, n int) string {
	b := []byte(id)
	for i := len(b) - 1; i >= 0 && n != 0; i-- {
		d := strings.IndexByte("0123456789abcdef", b[i])
		if d < 0 {
			break
		}
		d += n
		n = 0
		for d > 15 {
			d, n = d-16, n+1
		}
		for d < 0 {
			d, n = d+16, n-1
		}
		b[i] = "0123456789abcdef"[d]
	}
	return string(b)
}
