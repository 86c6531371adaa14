package messaging

import (
	"fmt"
	"net/netip"
	"strings"
)

// Caller is who asks: an explicit argument of every use case, never a context
// value but for the stages of pipelines. Project is always set; the rest may be empty.
type Caller struct {
	Project Project
	Client  ClientID
	User    string
	Roles   []string
	// Domains that a verified token named, for policies.
	Domain, ProjectDomain, UserDomain string
	// System is the scope of a token for the whole system: "all".
	System string
	// Signed says that a pre-signed URL opened the door: there is no user and
	// there are no roles.
	Signed bool
	// Token is what a verified caller showed, for what is to be done in his name
	// elsewhere.
	Token Secret
	// Address is where the request came from, for records of what was done.
	Address netip.Addr
	// Request is the id of the request, for logs.
	Request string
}

// HasRole reports whether the caller has the role, ignoring letter case.
func (c Caller) HasRole(role string) bool {
	for _, r := range c.Roles {
		if strings.EqualFold(r, role) {
			return true
		}
	}
	return false
}

// Secret is a text that no log, error or document shows: fmt, encoding/json and
// slog write three asterisks in its place.
type Secret string

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

const masked = "***"
