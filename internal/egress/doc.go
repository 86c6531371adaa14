// Package egress decides to which addresses the server may connect on behalf
// of others, and connects only to those.
//
// A Guard promises that a connection made through its DialContext ends at an
// address of the public Internet, or at one that the operator allowed. It looks
// at the address that the kernel is about to connect to, after names have been
// resolved, so that a name which changes its mind is of no use. Not public are
// loopback, private, link-local (with the metadata services of clouds),
// shared, multicast, documentation and reserved addresses, IPv6 addresses
// that stand for such IPv4 addresses, and the addresses of this machine.
//
// Check gives the same answer about a target ahead of time, as far as it can be
// known then. It is a courtesy to those who mistype: only DialContext protects.
package egress
