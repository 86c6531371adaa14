// Package wire holds the JSON shapes of Zaqar v2 that every front shares: how
// requests are read and how answers are written, the description of the API
// in openapi.yaml and the golden cases in testdata.
//
// It promises:
//
//   - Reading is strict (http-v2 §1.1): one object or array, UTF-8, integers
//     within 64 bits anywhere in the document, nesting no deeper than
//     MaxDepth, nothing behind it. Members named twice count once, the last.
//     Every failure is a messaging.Invalid error that says what is wrong and
//     where.
//   - Message bodies are cut out undecoded and put into answers as the bytes
//     that came, so that member order and number text survive.
//   - Answers hold exactly the members of http-v2 §8.1 and §18, written by
//     appending to a buffer, without reflection.
//
// It knows nothing of HTTP and of limits an operator can set: a front decides
// how many bytes it reads, the broker which values are allowed.
//
// Start reading at json.go, then messages.go.
package wire
