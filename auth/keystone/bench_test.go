package keystone

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// warm returns an Identity that knows tokens of the usual length, and a
// request with each.
func warm(tb testing.TB, n int) (*Identity, []*http.Request) {
	tb.Helper()
	c := Defaults()
	c.AuthURL, c.Login = "http://127.0.0.1:1", Login{UserID: "u", Password: password}
	i, err := New(c, time.Now, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(i.Close)
	var requests []*http.Request
	for k := range n {
		token := fmt.Sprintf("%0183d", k) // as long as a Fernet token of a project
		key := newKey(token, false)
		i.valid.put(&key, &entry{until: time.Now().Add(time.Hour)}, time.Now())
		requests = append(requests, request("X-Auth-Token: "+token))
	}
	return i, requests
}

// BenchmarkWarm is what a request costs whose token is in the cache.
func BenchmarkWarm(b *testing.B) {
	for _, n := range []int{1, 1000} {
		i, requests := warm(b, n)
		b.Run(fmt.Sprint("tokens=", n), func(b *testing.B) {
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				if _, err := i.Identify(b.Context(), requests[k%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint("tokens=", n, "/parallel"), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for k := 0; pb.Next(); k++ {
					if _, err := i.Identify(b.Context(), requests[k%n]); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// TestAWarmCacheAllocatesNothing counts what BenchmarkWarm measures.
func TestAWarmCacheAllocatesNothing(t *testing.T) {
	i, requests := warm(t, 1)
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := i.Identify(ctx, requests[0]); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if text := fmt.Sprintf("%+v", i.valid); strings.Contains(text, requests[0].Header.Get("X-Auth-Token")) {
		t.Error("the cache holds the token itself")
	}
}
