// Package edge is what stands between the network and the HTTP API: who is at
// the other end of a connection, how many connections there may be, and which
// requests may leave their connection open behind them.
//
// It promises that
//
//   - nothing a client sends changes the address that it is known by, unless a
//     proxy that the operator named says so (Trust);
//   - nobody takes more connections than the operator allows (Limits);
//   - a request whose end two servers might see in different places is the last
//     one of its connection (Framing).
package edge
