package edge

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestFraming(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		closes bool
		status int
	}{
		{"an ordinary request", func(*http.Request) {}, false, 204},
		{"chunks", func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }, true, 204},
		{"HTTP/1.0", func(r *http.Request) { r.ProtoMinor = 0 }, true, 204},
		{"HTTP/2", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 }, false, 204},
		{"the beginning of HTTP/2", func(r *http.Request) { r.Method, r.ProtoMajor, r.ProtoMinor = "PRI", 2, 0 }, true, 505},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		c.change(r)
		Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })).ServeHTTP(w, r)
		if closes := w.Header().Get("Connection") == "close"; closes != c.closes || w.Code != c.status {
			t.Errorf("%s: status %d, closes %v", c.name, w.Code, closes)
		}
	}
}
