// Package notifications shows the running server keeping what is written of
// notifications (notifications §18): it is asked over HTTP, and what it sends
// comes in at receivers on this machine. Tests of mail and trusts are elsewhere.
package notifications
