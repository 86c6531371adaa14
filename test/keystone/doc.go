// Package keystone runs the real program against a real Keystone: Debian's
// package python3-keystone, made anew and served on loopback by serve.py.
//
// It shows that what auth/keystone promises holds with the service that
// operators run: projects, roles and scopes, tokens revoked and expired,
// application credentials and their rules, service tokens, and a Keystone that
// goes and comes back. Faults of all kinds are the business of auth/keystone's
// own tests.
package keystone
