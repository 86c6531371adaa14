package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"syscall"
	"time"
)

// client speaks HTTP v2 to one server process, over connections it keeps.
type client struct {
	base    string
	http    *http.Client
	answers func() // told of each answer
}

func newClient(base string, answers func()) *client {
	return &client{base: base, answers: answers, http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 4},
		Timeout:   20 * time.Second,
	}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// errNotSent is in the error of a request that did not reach the server.
var errNotSent = errors.New("not sent")

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

const (
	project  = "crash-test"
	clientID = "6ac2a0d5-6fd2-4bf5-a9a0-5d2f4ed9e3fd"
	patch    = "application/openstack-messaging-v2.0-json-patch"
)

// do sends a request. An error says that there was no whole answer.
func (c *client) do(ctx context.Context, method, ref, contentType string, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+ref, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Client-ID", clientID)
	req.Header.Set("X-Project-ID", project)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return reply{}, fmt.Errorf("%w: %w", errNotSent, err)
	}
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	c.answers()
	return reply{res.StatusCode, res.Header, b}, nil
}

func queuePath(queue string) string      { return "/v2/queues/" + url.PathEscape(queue) }
func messagesPath(queue string) string   { return queuePath(queue) + "/messages" }
func claimPath(queue, id string) string  { return queuePath(queue) + "/claims/" + id }
func (r reply) decode(into any) error    { return json.Unmarshal(r.body, into) }
func lastElement(location string) string { return path.Base(location) }
func idsQuery(ids []string) string       { return "?ids=" + strings.Join(ids, ",") }
func seconds(d time.Duration) int        { return int(d / time.Second) }

// String is the status and how the body begins.
func (r reply) String() string { return fmt.Sprintf("%d %.200s", r.status, r.body) }

// wireMessage is a message in an answer.
type wireMessage struct {
	ID   string          `json:"id"`
	Href string          `json:"href"`
	Body json.RawMessage `json:"body"`
}

// messages returns the messages of an answer, and the link to the next page.
func (r reply) messages() (got []Seen, next string, err error) {
	var doc struct {
		Messages []wireMessage
		Links    []struct{ Href string }
	}
	if err := r.decode(&doc); err != nil {
		return nil, "", err
	}
	for _, m := range doc.Messages {
		_, claim, _ := strings.Cut(m.Href, "?claim_id=")
		got = append(got, Seen{ID: m.ID, Claim: claim, Body: m.Body})
	}
	if len(doc.Links) > 0 {
		next = doc.Links[0].Href
	}
	return got, next, nil
}

// posted returns the ids that a post gave out.
func (r reply) posted() ([]string, error) {
	var doc struct{ Resources []string }
	err := r.decode(&doc)
	ids := make([]string, len(doc.Resources))
	for i, ref := range doc.Resources {
		ids[i] = lastElement(ref)
	}
	return ids, err
}

// wireState is a queue's metadata as far as the ledger keeps it.
type wireState struct {
	Generation int    `json:"generation"`
	Note       string `json:"note"`
	TTL        int    `json:"_default_message_ttl"`
}

const defaultTTL = 3600 // shown when none is set

func (w wireState) state() State {
	if w.TTL == defaultTTL {
		w.TTL = 0
	}
	return State{Exists: true, Generation: w.Generation, Note: w.Note, TTL: w.TTL}
}

// metadata returns the document that gives a new queue the state, and more.
func (s State) metadata(more map[string]any) []byte {
	doc := map[string]any{"generation": s.Generation, "note": s.Note}
	if s.TTL != 0 {
		doc["_default_message_ttl"] = s.TTL
	}
	for k, v := range more {
		doc[k] = v
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return b
}

// patch returns the document that gives an existing queue the state.
func (s State) patch() []byte {
	type op struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	ops := []op{
		{"replace", "/metadata/generation", s.Generation},
		{"add", "/metadata/note", s.Note},
		{"remove", "/metadata/_default_message_ttl", nil},
	}
	if s.TTL != 0 {
		ops[2] = op{"add", "/metadata/_default_message_ttl", s.TTL}
	}
	b, err := json.Marshal(ops)
	if err != nil {
		panic(err)
	}
	return b
}

// listing reads all of a queue.
func (c *client) listing(ctx context.Context, queue string) (Listing, error) {
	var all Listing
	next := messagesPath(queue) + "?limit=20&echo=true&include_claimed=true&include_delayed=true"
	for next != "" {
		r, err := c.do(ctx, "GET", next, "", nil)
		if err != nil {
			return all, err
		}
		var page []Seen
		if page, next, err = r.messages(); err != nil || r.status != http.StatusOK {
			return all, fmt.Errorf("listing %s: %v, %w", queue, r, err)
		}
		all.Messages = append(all.Messages, page...)
	}
	r, err := c.do(ctx, "GET", queuePath(queue)+"/stats", "", nil)
	if err != nil {
		return all, err
	}
	var doc struct {
		Messages struct{ Claimed, Free, Total int }
	}
	if err := r.decode(&doc); err != nil || r.status != http.StatusOK {
		return all, fmt.Errorf("statistics of %s: %v, %w", queue, r, err)
	}
	all.Claimed, all.Free, all.Total = doc.Messages.Claimed, doc.Messages.Free, doc.Messages.Total
	return all, nil
}

// queues reads the records of all queues, in the order listed.
func (c *client) queues(ctx context.Context) (names []string, states map[string]State, err error) {
	states = map[string]State{}
	next := "/v2/queues?limit=7&detailed=true"
	for next != "" {
		r, err := c.do(ctx, "GET", next, "", nil)
		if err != nil {
			return nil, nil, err
		}
		var doc struct {
			Queues []struct {
				Name     string
				Metadata wireState
			}
			Links []struct{ Href string }
		}
		if err := r.decode(&doc); err != nil || r.status != http.StatusOK {
			return nil, nil, fmt.Errorf("listing queues: %v, %w", r, err)
		}
		next = ""
		if len(doc.Links) > 0 {
			next = doc.Links[0].Href
		}
		for _, q := range doc.Queues {
			names = append(names, q.Name)
			states[q.Name] = q.Metadata.state()
		}
	}
	return names, states, nil
}
