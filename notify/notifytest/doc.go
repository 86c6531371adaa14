// Package notifytest holds what senders over HTTP must stand: Run puts one
// before receivers that answer with every status, slowly, too much, with
// redirects, with wrong certificates, with garbage or not at all, and looks at
// what it makes of that, what it tells about it and what it leaves behind.
//
// A package with such a sender calls Run with a Harness. Receiver is for its
// tests of its own.
package notifytest
