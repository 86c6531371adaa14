// Package age lets a store grow old quickly: the life of a day, or two weeks,
// passes in seconds or minutes on a moved clock, on a real disk.
//
// What is asserted are counts: nothing is lost and nothing comes back (each
// queue has one owner who knows what must be in it), the disk holds at most
// twice what is live and a constant, memory a live message is bounded, and a
// restart in the middle changes nothing. How long calls took is measured and
// written down, never asserted.
//
// The environment chooses the form:
//
//	ZAQAR_AGE=long      minutes and millions of messages instead of seconds and thousands
//	ZAQAR_AGE_OUT=file  append the measurements, one JSON object a line
package age
