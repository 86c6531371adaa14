package rest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"zaqar/auth/policy"
)

// route is one path with what it answers to.
type route struct {
	path  string // segments in braces are variables
	needs needs
	on    verbs
	home  []relation // what the home document says about it

	quiet bool // the access log has failures only
	page  bool // for people: replies are HTML, and its form may post to it

	number   int
	segments []string
	allow    string
	rules    map[string]string // by method, of the policy
	changes  map[string]bool   // methods that change the control plane
}

// Endpoints lists the patterns of all paths, for metrics.
func Endpoints(c Config) []string {
	var paths []string
	for _, r := range routes(c) {
		paths = append(paths, r.path)
	}
	return paths
}

type verbs map[string]func(*call) error

// needs says which header checks a route makes.
type needs int

const (
	needsCaller  needs = iota // Accept, Client-ID and X-Project-ID
	needsAccept               // Accept alone
	needsNothing              // none
)

// routes lists what the server answers to (http-v2 §5).
func routes(c Config) []route {
	const (
		get, head, post       = http.MethodGet, http.MethodHead, http.MethodPost
		put, patch, del       = http.MethodPut, http.MethodPatch, http.MethodDelete
		queue, queueMessages  = "/v2/queues/{queue_name}", "/v2/queues/{queue_name}/messages"
		topic, topicMessages  = "/v2/topics/{topic_name}", "/v2/topics/{topic_name}/messages"
		queueClaims, queueOne = "/v2/queues/{queue_name}/claims", "/v2/queues/{queue_name}/claims/{claim_id}"
	)
	list := []route{
		{path: "/", needs: needsAccept, on: verbs{get: (*call).versions}},
		{path: "/openapi.yaml", needs: needsNothing, on: verbs{get: (*call).openAPI}},
		{path: "/v2/", on: verbs{get: (*call).homeDocument}},
		{path: "/v2/ping", on: verbs{get: (*call).ping, head: (*call).pingHead}, home: []relation{
			{rel: "ping", allow: []string{get}}}},

		{path: "/v2/queues", on: verbs{get: (*call).listQueues}, home: []relation{
			{rel: "queues", query: "{?marker,limit,detailed}", allow: []string{get}, limit: "queue_limit"}}},
		{path: queue, on: verbs{get: (*call).showQueue, put: (*call).createQueue, patch: (*call).patchQueue, del: (*call).deleteQueue}, home: []relation{
			{rel: "queue", allow: []string{get, put, del, patch}}}},
		{path: queue + "/stats", on: verbs{get: (*call).queueStats}, home: []relation{
			{rel: "queue_stats", allow: []string{get}}}},
		{path: queue + "/share", on: verbs{post: (*call).shareQueue}, home: []relation{
			{rel: "queue_share", allow: []string{post}, accepts: true}}},
		{path: queue + "/purge", on: verbs{post: (*call).purgeQueue}, home: []relation{
			{rel: "queue_purge", allow: []string{post}, accepts: true}}},

		{path: queueMessages, on: verbs{get: (*call).getMessages, post: (*call).postMessages, del: (*call).deleteMessages}, home: []relation{
			{rel: "messages", query: "{?marker,limit,echo,include_claimed}", allow: []string{get}, limit: "messages_limit"},
			{rel: "post_messages", allow: []string{post}, accepts: true},
			{rel: "messages_delete", query: "{?ids,pop}", allow: []string{del}}}},
		{path: queueMessages + "/{message_id}", on: verbs{get: (*call).getMessage, del: (*call).deleteMessage}, home: []relation{
			{rel: "message_delete", query: "{?claim}", allow: []string{del}},
			{rel: "message_get", allow: []string{get}}}},

		{path: queueClaims, on: verbs{post: (*call).createClaim}, home: []relation{
			{rel: "post_claim", query: "{?limit}", allow: []string{post}, accepts: true, limit: "claim_limit"}}},
		{path: queueOne, on: verbs{get: (*call).showClaim, patch: (*call).updateClaim, del: (*call).releaseClaim}, home: []relation{
			{rel: "claim", allow: []string{get}},
			{rel: "patch_claim", allow: []string{patch}, accepts: true},
			{rel: "delete_claim", allow: []string{del}}}},

		{path: "/v2/topics", on: verbs{get: (*call).listTopics}, home: []relation{
			{rel: "topics", query: "{?marker,limit,detailed}", allow: []string{get}, limit: "topic_limit"}}},
		{path: topic, on: verbs{get: (*call).showQueue, put: (*call).createQueue, patch: (*call).patchQueue, del: (*call).deleteQueue}, home: []relation{
			{rel: "topic", allow: []string{get, put, del, patch}}}},
		{path: topic + "/stats", on: verbs{get: (*call).queueStats}, home: []relation{
			{rel: "topic_stats", allow: []string{get}}}},
		{path: topic + "/purge", on: verbs{post: (*call).purgeQueue}, home: []relation{
			{rel: "topic_purge", allow: []string{post}, accepts: true}}},
		{path: topicMessages, on: verbs{get: (*call).getMessages, post: (*call).postMessages, del: (*call).deleteMessages}, home: []relation{
			{rel: "topic_messages", query: "{?marker,limit,echo}", allow: []string{get}, limit: "messages_limit"},
			{rel: "topic_post_messages", allow: []string{post}, accepts: true},
			{rel: "topic_messages_delete", query: "{?ids,pop}", allow: []string{del}}}},
		{path: topicMessages + "/{message_id}", on: verbs{get: (*call).getMessage, del: (*call).deleteMessage}, home: []relation{
			{rel: "topic_message_delete", allow: []string{del}},
			{rel: "topic_message_get", allow: []string{get}}}},
	}
	list = append(list, subscriptionRoutes(queue, "")...)
	list = append(list, subscriptionRoutes(topic, "topic_")...)
	if c.Quotas != nil {
		list = append(list, quotaRoutes(c.Admin)...)
	}
	if c.Healthcheck.Path != "" && c.Healthcheck.Ask != nil {
		list = append(list, c.Healthcheck.route())
	}
	if c.ConfirmationPage {
		list = append(list, confirmationRoute())
	}
	if c.Admin {
		list = append(list, route{path: "/v2/health", on: verbs{get: (*call).health}, home: []relation{
			{rel: "health", allow: []string{get}, plain: true}}})
	}
	return list
}

// table finds routes by path.
type table struct {
	routes []route
	bySize [maxSegments + 1][]*route
}

const (
	maxSegments = 6
	maxVars     = 2
)

// vars are the values of a path's variables, in their order.
type vars [maxVars]string

func newTable(list []route) table {
	t := table{routes: list}
	for i := range list {
		r := &list[i]
		r.number = i
		r.segments = strings.Split(r.path[1:], "/")
		methods := append(slices.Collect(maps.Keys(r.on)), http.MethodOptions)
		slices.Sort(methods)
		r.allow = strings.Join(methods, ", ")
		r.rules = rulesOf(r.path)
		r.changes = changes(r.rules)
		t.bySize[len(r.segments)] = append(t.bySize[len(r.segments)], r)
	}
	return t
}

// rulesOf returns the rules of the policy that guard a path, by method. Where
// the use case chooses among several, there is none.
func rulesOf(path string) map[string]string {
	rules := map[string]string{}
	for _, r := range policy.Rules() {
		for _, o := range r.Operations {
			if o.Path != path {
				continue
			}
			if _, several := rules[o.Method]; several {
				rules[o.Method] = ""
			} else {
				rules[o.Method] = r.Name
			}
		}
	}
	return rules
}

// find returns the route of a URL's path. Segments are compared one by one
// after their escapes are resolved: an escaped slash does not separate, and a
// variable may be empty. Paths are not cleaned.
func (t *table) find(u *url.URL) (*route, vars, bool) {
	var segments [maxSegments]string
	n := 0
	path, escaped := u.Path, u.RawPath != "" // without, no slash was escaped
	if escaped {
		path = u.EscapedPath()
	}
	if !strings.HasPrefix(path, "/") {
		return nil, vars{}, false
	}
	for rest, more := path[1:], true; more; n++ {
		if n == maxSegments {
			return nil, vars{}, false
		}
		segments[n], rest, more = strings.Cut(rest, "/")
		if !escaped {
			continue
		}
		if s, err := url.PathUnescape(segments[n]); err == nil {
			segments[n] = s
		}
	}
	for _, r := range t.bySize[n] {
		if v, ok := r.match(segments[:n]); ok {
			return r, v, true
		}
	}
	return nil, vars{}, false
}

func (r *route) match(segments []string) (v vars, ok bool) {
	n := 0
	for i, want := range r.segments {
		if strings.HasPrefix(want, "{") {
			v[n] = segments[i]
			n++
		} else if want != segments[i] {
			return vars{}, false
		}
	}
	return v, true
}

// names reports whether the path's first variable is the given one.
func (r *route) names(variable string) bool {
	return len(r.segments) > 2 && r.segments[2] == "{"+variable+"}"
}
