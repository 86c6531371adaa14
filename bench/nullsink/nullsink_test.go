package nullsink_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"zaqar/bench/nullsink"
)

func TestAnswers(t *testing.T) {
	const body = `{"event":"x"}`
	post := func(n int) string {
		return `{"messages":[` + strings.Repeat(`,{"ttl":86400,"body":`+body+`}`, n)[1:] + `]}`
	}
	sink := nullsink.New([]byte(body))
	tests := []struct {
		name, method, path, body string
		status, messages         int
	}{
		{"post 1", "POST", "/v2/queues/q/messages", post(1), 201, 1},
		{"post 10", "POST", "/v2/queues/q/messages", post(10), 201, 10},
		{"post 200", "POST", "/v2/queues/q/messages", post(200), 201, 200},
		{"list", "GET", "/v2/queues/q/messages?limit=3", "", 200, 3},
		{"list, next", "GET", "/v2/queues/q/messages?limit=20&marker=7", "", 200, 20},
		{"list, default", "GET", "/v2/queues/q/messages", "", 200, 10},
		{"claim", "POST", "/v2/queues/q/claims?limit=10", `{"ttl":60}`, 201, 10},
		{"create", "PUT", "/v2/queues/q", "", 201, 0},
		{"delete", "DELETE", "/v2/queues/q/messages/x", "", 204, 0},
		{"unknown", "PATCH", "/v2/queues/q", "", 404, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			sink.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d", w.Code, tt.status)
			}
			if w.Body.Len() == 0 {
				return
			}
			if w.Code == http.StatusCreated && w.Header().Get("Location") == "" {
				t.Error("no Location")
			}
			var doc struct {
				Messages  []struct{ ID, Href string }
				Resources []string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if n := len(doc.Messages) + len(doc.Resources); n != tt.messages {
				t.Errorf("%d messages, want %d", n, tt.messages)
			}
		})
	}
}
