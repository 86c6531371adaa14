package daemon

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// Client sends plain requests to a server.
type Client struct {
	URL     string // of the server
	ID      string // Client-ID
	Project string
	HTTP    *http.Client
}

// Client returns a client with an id and a project of its own.
func (d *Daemon) Client() *Client {
	return &Client{URL: d.URL, ID: uuid.NewString(), Project: strings.ReplaceAll(uuid.NewString(), "-", ""), HTTP: http.DefaultClient}
}

// Other is another client of the same project.
func (c *Client) Other() *Client {
	other := *c
	other.ID = uuid.NewString()
	return &other
}

// Answer is what came back for a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	t    testing.TB
	what string // the request, for messages
}

// Do sends a request and fails the test at once if there is no answer. A body
// that is not a string is sent as JSON; nil is no body. Headers are
// "Name: value" and come after those that every request needs.
func (c *Client) Do(t testing.TB, method, path string, body any, headers ...string) *Answer {
	t.Helper()
	a, err := c.Try(t, method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// Try is Do for requests that may stay without an answer.
func (c *Client) Try(t testing.TB, method, path string, body any, headers ...string) (*Answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, reader(t, body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Client-ID", c.ID)
	req.Header.Set("X-Project-ID", c.Project)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: data, t: t, what: method + " " + path}, err
}

func reader(t testing.TB, body any) io.Reader {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return strings.NewReader(b)
	case io.Reader:
		return b
	}
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(data)
}

// Want fails the test at once unless the answer has one of the statuses.
func (a *Answer) Want(statuses ...int) *Answer {
	a.t.Helper()
	for _, s := range statuses {
		if a.Status == s {
			return a
		}
	}
	a.t.Fatalf("%s: status %d, want %d: %.300s", a.what, a.Status, statuses, a.Body)
	return nil
}

// JSON decodes the body into v.
func (a *Answer) JSON(v any) *Answer {
	a.t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		a.t.Fatalf("%s: %v: %.300s", a.what, err, a.Body)
	}
	return a
}

// Location is the path of that header.
func (a *Answer) Location() string { return a.Header.Get("Location") }

// Message is a message as it is shown.
type Message struct {
	ID         string          `json:"id"`
	Href       string          `json:"href"`
	TTL        int             `json:"ttl"`
	Age        int             `json:"age"`
	Body       json.RawMessage `json:"body"`
	ClaimID    string          `json:"claim_id"`
	ClaimCount int             `json:"claim_count"`
	Checksum   string          `json:"checksum"`
}

// Messages are those of the body.
func (a *Answer) Messages() []Message {
	a.t.Helper()
	var body struct {
		Messages []Message `json:"messages"`
	}
	a.JSON(&body)
	return body.Messages
}

// Resources are the paths that the answer to a post names.
func (a *Answer) Resources() []string {
	a.t.Helper()
	var body struct {
		Resources []string `json:"resources"`
	}
	a.JSON(&body)
	return body.Resources
}

// Post posts bodies to a queue and returns the paths of the messages.
func (c *Client) Post(t testing.TB, queue string, bodies ...any) []string {
	t.Helper()
	var messages []any
	for _, b := range bodies {
		messages = append(messages, map[string]any{"body": b, "ttl": 3600})
	}
	return c.Do(t, http.MethodPost, "/v2/queues/"+queue+"/messages", map[string]any{"messages": messages}).Want(http.StatusCreated).Resources()
}

// List returns all messages of a queue, claimed ones too, page by page.
func (c *Client) List(t testing.TB, queue string) []Message {
	t.Helper()
	var all []Message
	path := "/v2/queues/" + queue + "/messages?echo=true&include_claimed=true&limit=20"
	for path != "" {
		var page struct {
			Messages []Message `json:"messages"`
			Links    []struct {
				Href string `json:"href"`
			} `json:"links"`
		}
		c.Do(t, http.MethodGet, path, nil).Want(http.StatusOK).JSON(&page)
		all = append(all, page.Messages...)
		path = ""
		for _, l := range page.Links {
			path = l.Href
		}
	}
	return all
}

// Count returns how many messages a queue holds.
func (c *Client) Count(t testing.TB, queue string) int {
	t.Helper()
	var stats struct {
		Messages struct {
			Total int `json:"total"`
		} `json:"messages"`
	}
	c.Do(t, http.MethodGet, "/v2/queues/"+queue+"/stats", nil).Want(http.StatusOK).JSON(&stats)
	return stats.Messages.Total
}
