package load_test

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
)

// answer is an answer on its way back.
type answer struct {
	status int
	body   string
}

// forward makes the same request of another server.
func forward(t *testing.T, to *url.URL, r *http.Request) answer {
	u := *r.URL
	u.Scheme, u.Host = to.Scheme, to.Host
	out, err := http.NewRequestWithContext(r.Context(), r.Method, u.String(), r.Body)
	if err != nil {
		t.Error(err)
		return answer{status: http.StatusBadGateway}
	}
	out.Header = r.Header
	in, err := http.DefaultClient.Do(out)
	if err != nil {
		return answer{status: http.StatusBadGateway} // the test is over
	}
	defer in.Body.Close()
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return answer{status: http.StatusBadGateway}
	}
	return answer{in.StatusCode, string(body)}
}

func (a answer) write(w http.ResponseWriter) {
	if a.status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}
