package messaging

import (
	"net/netip"
	"strings"
)

// Caller is who asks: an explicit argument of every use case, never a context
// value. Project is always set; the rest may be empty.
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
