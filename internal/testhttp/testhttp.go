// Package testhttp is for tests that ask a server over HTTP and want the whole
// answer. What goes wrong on the way ends the test.
package testhttp

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Request is a request of a client, in project p. Headers are names, each
// followed by its value; they may replace those two.
func Request(t testing.TB, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Client-ID", "3381af92-2b9e-11e3-b191-71861300734c")
	r.Header.Set("X-Project-ID", "p")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// Do sends a request and returns the answer.
func Do(t testing.TB, r *http.Request) (status int, header http.Header, body string) {
	t.Helper()
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, a.Header, string(text)
}

// Get asks for a page that needs neither client nor project.
func Get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, _, body = Do(t, r)
	return status, body
}
