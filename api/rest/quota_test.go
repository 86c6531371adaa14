package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"zaqar/messaging"
)

// TestSlowDown shows what clients learn that go too fast.
func TestSlowDown(t *testing.T) {
	for _, test := range []struct {
		configured RateStatus
		agent      string
		after      time.Duration
		status     int
		retry      string
	}{
		{ByClient, "", 0, 429, "1"},
		{ByClient, "gophercloud/v2", 1500 * time.Millisecond, 429, "2"},
		{ByClient, "openstacksdk/4 keystoneauth1/5 python-requests/2.32", time.Minute, 429, "60"},
		{ByClient, "python-requests/2.32.3", time.Second, 503, "1"},
		{TooMany, "python-requests/2.32.3", time.Nanosecond, 429, "1"},
		{Unavailable, "curl/8", time.Second + 1, 503, "2"},
	} {
		w := httptest.NewRecorder()
		c := &call{server: &server{Config: Config{RateStatus: test.configured}}, w: w, r: httptest.NewRequest(http.MethodGet, "/", nil)}
		if test.agent != "" {
			c.r.Header.Set("User-Agent", test.agent)
		}
		status, what := c.judge(&messaging.Error{Kind: messaging.Exceeded, What: "Slower.", After: test.after})
		if retry := w.Header().Get("Retry-After"); status != test.status || retry != test.retry || what != "Slower." {
			t.Errorf("%v, %q, %v: %d, Retry-After %s, %q", test.configured, test.agent, test.after, status, retry, what)
		}
	}
}
