package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"zaqar/internal/testwait"
)

// receiver keeps the documents that are posted to it.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	docs []map[string]any
}

func receive(t *testing.T) *receiver {
	r := new(receiver)
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var doc map[string]any
		if err := json.NewDecoder(req.Body).Decode(&doc); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.docs = append(r.docs, doc)
		r.mu.Unlock()
	}))
	t.Cleanup(r.Close)
	return r
}

// got returns the documents of a kind.
func (r *receiver) got(kind string) (found []map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.docs {
		if d["Message_Type"] == kind {
			found = append(found, d)
		}
	}
	return found
}

// await waits for the n-th document of a kind.
func (r *receiver) await(t *testing.T, kind string, n int) map[string]any {
	t.Helper()
	testwait.Until(t, fmt.Sprint(kind, " ", n), func() bool { return len(r.got(kind)) >= n })
	return r.got(kind)[n-1]
}

// bodies are those of the notifications.
func (r *receiver) bodies() (all []string) {
	for _, d := range r.got("Notification") {
		all = append(all, fmt.Sprint(d["body"]))
	}
	return all
}
