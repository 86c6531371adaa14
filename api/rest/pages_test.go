package rest_test

import (
	"net/url"
	"testing"
)

// next returns the href of the next page, "" if there is none.
func (r *reply) next() string {
	r.t.Helper()
	switch n := r.count("links"); n {
	case 0:
		return ""
	case 1:
		if rel := r.str("links.0.rel"); rel != "next" {
			r.t.Errorf("%s: a link %q", r.what, rel)
		}
		return r.str("links.0.href")
	default:
		r.t.Fatalf("%s: %d links", r.what, n)
		return ""
	}
}

func params(t *testing.T, href string) url.Values {
	t.Helper()
	u, err := url.Parse(href)
	if err != nil {
		t.Fatalf("%q: %v", href, err)
	}
	return u.Query()
}
