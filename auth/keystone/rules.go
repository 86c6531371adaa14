package keystone

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// rule is an access rule of an application credential.
type rule struct {
	Service string `json:"service"`
	Method  string `json:"method"`
	Path    string `json:"path"`
}

// limits are what an application credential may be used for.
type limits struct {
	Rules    []rule   `json:"rules"`
	Services []string `json:"services"` // types of the token's catalogue
}

// admit reports whether the rules admit a request to a service of the type
// (operations §5.1 A13). prefix is what a proxy took off the path. What another
// service asks for on behalf of the user is chained: users do not write rules
// for it.
func (l *limits) admit(r *http.Request, prefix, serviceType string, chained bool) bool {
	if serviceType == "" || !slices.Contains(l.Services, serviceType) {
		return false
	}
	if chained {
		return true
	}
	path, ok := plainPath(r.URL)
	return ok && slices.ContainsFunc(l.Rules, func(a rule) bool {
		return a.Service == serviceType && a.Method == r.Method &&
			(matches(a.Path, path) || prefix != "" && matches(a.Path, prefix+path))
	})
}

// longestPath is longer than what any route has, given a project of Keystone's.
// Whoever has rules chooses their patterns and the path: held against some ten
// thousand bytes, a thousand patterns take seconds.
const longestPath = 512

// plainPath is the decoded path, and false if decoding would make it another
// one, with a slash more or with a segment that points elsewhere, or if it is
// longer than any of ours.
func plainPath(u *url.URL) (string, bool) {
	if len(u.Path) > longestPath {
		return "", false
	}
	if u.RawPath != "" && strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		return "", false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return "", false
		}
	}
	return u.Path, true
}

// matches reports whether a path follows a pattern: {name} and * stand for
// one byte or more without a slash, ** for anything. It takes time in
// proportion to both lengths, whatever the pattern.
func matches(pattern, path string) bool {
	// on[i]: the pattern so far covers path[:i]; next is the same with one
	// element more.
	on, next := make([]bool, len(path)+1), make([]bool, len(path)+1)
	on[0] = true
	for pattern != "" {
		var kind, literal byte
		kind, literal, pattern = cutPattern(pattern)
		next[0] = kind == '+' && on[0]
		some := next[0]
		for i := range len(path) {
			var covered bool
			switch kind {
			case '*':
				covered = path[i] != '/' && (on[i] || next[i])
			case '+':
				covered = on[i+1] || next[i]
			default:
				covered = on[i] && path[i] == literal
			}
			next[i+1] = covered
			some = some || covered
		}
		if !some {
			return false
		}
		on, next = next, on
	}
	return on[len(path)]
}

// cutPattern cuts the first element off a pattern: '*' for one segment or
// part of it, '+' for anything, 0 for a literal byte.
func cutPattern(p string) (kind, literal byte, rest string) {
	if strings.HasPrefix(p, "**") {
		return '+', 0, p[2:]
	}
	if p[0] == '*' {
		return '*', 0, p[1:]
	}
	if p[0] == '{' {
		if end := strings.IndexByte(p, '}'); end > 0 {
			return '*', 0, p[end+1:]
		}
	}
	return 0, p[0], p[1:]
}
