package rest

import (
	"context"
	"net/http"
	"strings"

	"zaqar/auth/signed"
	"zaqar/messaging"
)

// Open believes what requests say about their caller (http-v2 §2.2,
// auth_strategy empty): X-Project-ID, or X-Tenant-Id in its absence, X-User-Id
// and X-Roles.
type Open struct{}

// Identify reads the headers. Contradicting values are Invalid: they show that
// somebody between client and server added one.
func (Open) Identify(_ context.Context, r *http.Request) (messaging.Caller, error) {
	var who messaging.Caller
	name := "X-Project-Id"
	if r.Header[name] == nil {
		name = "X-Tenant-Id"
	}
	project, ok := sole(r.Header[name])
	if !ok {
		return who, invalid("There are several project ids.")
	}
	user, ok := sole(r.Header["X-User-Id"])
	if !ok {
		return who, invalid("There are several user ids.")
	}
	who.Project, who.User = messaging.Project(project), user
	for _, list := range r.Header["X-Roles"] {
		for role := range strings.SplitSeq(list, ",") {
			if role = strings.TrimSpace(role); role != "" {
				who.Roles = append(who.Roles, role)
			}
		}
	}
	return who, nil
}

// sole returns the one value of a header, trimmed, and false if there are
// several that differ.
func sole(values []string) (string, bool) {
	if len(values) == 0 {
		return "", true
	}
	one := strings.TrimSpace(values[0])
	for _, other := range values[1:] {
		if strings.TrimSpace(other) != one {
			return "", false
		}
	}
	return one, true
}

// isSigned reports whether a request presents a signature in place of other
// credentials. An empty one is none (http-v2 §17.1, D1).
func isSigned(h http.Header) bool {
	for _, signature := range h["Url-Signature"] {
		if strings.TrimSpace(signature) != "" {
			return true
		}
	}
	return false
}

// presented returns what a request presents with its signature, and false if
// something is missing, or there twice: one of them somebody else added.
func presented(h http.Header) (p signed.Presented, ok bool) {
	for _, f := range []struct {
		name string
		to   *string
	}{
		{"Url-Signature", &p.Signature}, {"Url-Expires", &p.Expires}, {"Url-Methods", &p.Methods},
		{"Url-Paths", &p.Paths}, {"X-Project-Id", &p.Project},
	} {
		values := h[f.name]
		if len(values) != 1 {
			return p, false
		}
		*f.to = strings.TrimSpace(values[0])
	}
	return p, true
}
