// Package proxies runs the server behind the proxies that packaging has
// samples for, with those samples.
package proxies
