package wire

import "zaqar/messaging"

// The hrefs of queues, messages and claims are paths that start with /v2/,
// without any prefix a proxy adds (http-v2 §1.1). Names and ids consist of
// characters that need no escape in a path or in JSON.

// AppendQueueHref appends the path of a queue or topic.
func AppendQueueHref(dst []byte, q messaging.QueueRef) []byte {
	if q.Topic {
		dst = append(dst, "/v2/topics/"...)
	} else {
		dst = append(dst, "/v2/queues/"...)
	}
	return append(dst, q.Name...)
}

// appendMessageHref appends the path of a message.
func appendMessageHref(dst []byte, q messaging.QueueRef, id messaging.MessageID) []byte {
	dst = AppendQueueHref(dst, q)
	dst = append(dst, "/messages/"...)
	return append(dst, id...)
}

// AppendClaimHref appends the path of a claim.
func AppendClaimHref(dst []byte, q messaging.QueueRef, id messaging.ClaimID) []byte {
	dst = AppendQueueHref(dst, q)
	dst = append(dst, "/claims/"...)
	return append(dst, id...)
}

// appendLinks appends the links of a page: the next one, unless the page is
// empty.
func appendLinks[T string | []byte](dst []byte, more bool, next T) []byte {
	dst = append(dst, `,"links":[`...)
	if more {
		dst = append(dst, `{"rel":"next","href":`...)
		dst = appendString(dst, next)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
