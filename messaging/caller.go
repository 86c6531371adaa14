package messaging

import "strings"

// Caller is who asks: an explicit argument of every use case, never a context
// value. Project is always set; the rest may be empty.
type Caller struct {
	Project Project
	Client  ClientID
	User    string
	Roles   []string
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
