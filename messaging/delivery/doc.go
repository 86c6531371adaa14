// Package delivery is the vocabulary of deliveries: what a subscription asks
// for (Options, RetryPolicy), what is sent (Kind, AppendDocument) and what is
// remembered meanwhile (Note, Envelope).
//
// It owns plain values and pure functions only, as package messaging does:
// no state, no clock, no I/O. What comes from clients is read twice, with one
// function each: strictly when it is to be stored, where the error is the
// answer, and leniently when it is used, where what does not fit is ignored.
// No number a client gives makes anything here allocate or overflow.
package delivery
